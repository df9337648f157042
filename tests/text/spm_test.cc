#include "lib/text/spm.h"

#include "lib/text/byte_token.h"
#include "tests/text/test_vocab.h"

using namespace quern;
using namespace quern::text;

static const std::string kSpace = "\u2581";

TEST_CASE("the pair of the best score merges first, the leftmost of equals") {
  const auto tokenizer = build(make_spm({{"a"}, {"b"}, {"c"}, {"ab", -1}, {"bc", -2}, {"aa", -3}}));
  CHECK(tokenizer->encode("abc", {}) == Ids{3, 2});
  CHECK(tokenizer->encode("bcab", {}) == Ids{4, 3});
  CHECK(tokenizer->encode("aaa", {}) == Ids{5, 0});
  CHECK(build(make_spm({{"a"}, {"b"}, {"c"}, {"ab", -2}, {"bc", -1}}))->encode("abc", {}) == Ids{0, 4});
}

TEST_CASE("a character without a token becomes bytes, or else the unknown token, or nothing") {
  Vocab vocab = make_spm(
      {{"<unk>", 0, TokenType::unknown}, {"a"}, {"<0xC3>", 0, TokenType::byte}, {"<0xA9>", 0, TokenType::byte}});
  vocab.unk = 0;
  const auto tokenizer = build(vocab);
  CHECK(tokenizer->encode("a\u00e9a", {}) == Ids{1, 2, 3, 1});
  CHECK(tokenizer->encode("a\u4f60a", {}) == Ids{1, 0, 1});
  CHECK(tokenizer->decode(Ids{1, 2, 3}) == "a\u00e9");
  vocab.unk.reset();
  CHECK(build(vocab)->encode("a\u4f60a", {}) == Ids{1, 1});
}

TEST_CASE("byte tokens are exactly <0x00> to <0xFF>") {
  CHECK(byte_of_token("<0x0A>") == 10);
  CHECK(byte_of_token("<0xFF>") == 255);
  for (const char* text : {"<0x-1>", "<0xGG>", "<0x1>", "<0x123>", "<0x 1>", "<0x+1>", "<0x>", "", "a", "<0x0A> "}) {
    CAPTURE(text);
    CHECK(!byte_of_token(text));
  }
}

TEST_CASE("text cannot spell control, unknown and byte tokens") {
  const auto tokenizer = build(make_spm({{"<"}, {"s"}, {">"}, {"<s", -1}, {"<s>", 0, TokenType::control}, {"s>", -5}}));
  CHECK(tokenizer->encode("<s>", {}) == Ids{3, 2});
  CHECK(tokenizer->encode("<s>", {.parse_special = true}) == Ids{4});
}

TEST_CASE("the dummy space: before the text and again after each special token") {
  Vocab vocab = make_spm({{kSpace}, {"a"}, {kSpace + "a", -1}, {"<x>", 0, TokenType::control}, {kSpace + kSpace, -2}});
  vocab.add_space_prefix = true;
  const auto tokenizer = build(vocab);
  CHECK(tokenizer->encode("a", {}) == Ids{2});
  CHECK(tokenizer->encode(" a", {}) == Ids{0, 2});
  CHECK(tokenizer->encode("a<x>a", {.parse_special = true}) == Ids{2, 3, 2});
  CHECK(tokenizer->encode("", {}) == Ids{});
  CHECK(tokenizer->decode(Ids{2, 2}) == "a a");
  CHECK(tokenizer->decode(Ids{3, 2}) == "a");            // the control token is left out
  CHECK(tokenizer->decode(Ids{3, 2}, true) == "<x> a");  // here the text begins with it
  CHECK(tokenizer->decode(Ids{2}, false, false) == " a");
  vocab.add_space_prefix = false;
  CHECK(build(vocab)->encode("a", {}) == Ids{1});
  CHECK(build(vocab)->decode(Ids{2}) == " a");
}

TEST_CASE("cutting at spaces changes nothing") {
  std::mt19937 rng(11);
  Vocab with_inner_space = load_vocab("demo_spm.json");
  with_inner_space.tokens.push_back("\u0001" + kSpace +
                                    "\u0001");  // no text of this test holds it: switches the cutting off
  with_inner_space.scores.push_back(0);
  with_inner_space.types.push_back(TokenType::normal);
  const auto cutting = build(load_vocab("demo_spm.json")), whole = build(with_inner_space);
  for (int round = 0; round < 200; ++round) {
    const std::string text = "The  capital of " + random_text(rng, 10) + " was   then a town";
    CHECK(cutting->encode(text, {}) == whole->encode(text, {}));
  }
}

TEST_CASE("decoding gives the text back") {
  std::mt19937 rng(12);
  for (const char* name : {"demo_spm.json", "stories260k_spm.json"}) {
    const auto tokenizer = build(load_vocab(name));
    for (int round = 0; round < 200; ++round) {
      std::string text = random_text(rng, 1 + static_cast<size_t>(round) % 40);
      if (text.find(kSpace) != std::string::npos) continue;    // U+2581 itself is a space to this family
      if (round % 4 == 0) text[rng() % text.size()] = '\x80';  // stands alone: swallows nothing
      CHECK(tokenizer->decode(tokenizer->encode(text, {})) == text);
    }
  }
}

TEST_CASE("a word of a megabyte is no problem") {
  const auto tokenizer = build(load_vocab("demo_spm.json"));
  const std::string text(1 << 20, 'e');
  CHECK(tokenizer->decode(tokenizer->encode(text, {})) == text);
}
