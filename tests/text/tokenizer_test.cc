// What all families share: validation, special tokens, pieces, ends of generation.
#include <cmath>
#include <limits>

#include "tests/text/test_vocab.h"

using namespace quern;
using namespace quern::text;

static Vocab small_spm() {
  return make_spm({{"<unk>", 0, TokenType::unknown}, {"<s>", 0, TokenType::control}, {"a"}, {"b"}});
}

TEST_CASE("a malformed vocabulary is refused, and the message says what and where") {
  const auto with = [](auto change) {
    Vocab vocab = small_spm();
    change(vocab);
    return refusal(vocab);
  };
  CHECK(with([](Vocab&) {}) == "");
  CHECK(with([](Vocab& v) { v = Vocab(); }) == "test: the vocabulary has no tokens");
  CHECK(with([](Vocab& v) { v.types.pop_back(); }) == "test: 4 tokens but 3 token types");
  CHECK(with([](Vocab& v) { v.scores.push_back(0); }) == "test: 4 tokens but 5 scores");
  CHECK(with([](Vocab& v) { v.tokens[3] = "a"; }) == "test: tokens 2 and 3 are the same text 'a'");
  CHECK(with([](Vocab& v) { v.types[2] = static_cast<TokenType>(99); }) ==
        "test: token 2 has type 99, expected 1 to 6");
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    CHECK(with([&](Vocab& v) { v.scores[2] = bad; }) == "test: the score of token 2 is not a finite number");
  }
  CHECK(with([](Vocab& v) {
          v.types[2] = TokenType::byte;
          v.tokens[2] = "<0x-1>";
        }) == "test: token 2 is a byte token, expected '<0x00>' to '<0xFF>', found '<0x-1>'");
  CHECK(with([](Vocab& v) { v.tokens[2] = std::string(65537, 'x'); }).starts_with("test: token 2 has 65537 bytes"));
  CHECK(
      with([](Vocab& v) { v.tokens[1] = std::string(1025, 'x'); }).starts_with("test: special token 1 has 1025 bytes"));
  CHECK(with([](Vocab& v) { v.bos = 4; }) == "test: the bos token is 4, but the vocabulary has 4 tokens");
  CHECK(with([](Vocab& v) { v.eom = -1; }) == "test: the eom token is -1, but the vocabulary has 4 tokens");
  CHECK(with([](Vocab& v) { v.strip_right = {7}; }) ==
        "test: the right-stripping token is 7, but the vocabulary has 4 tokens");
}

TEST_CASE("empty tokens, NUL and invalid UTF-8 in tokens are accepted") {
  const auto tokenizer = build(make_spm({{""}, {""}, {std::string("a\0b", 3)}, {"\xFF\xFE"}, {"\xE2\x96"}, {"x"}}));
  CHECK(tokenizer->encode("x", {}) == Ids{5});
  CHECK(tokenizer->find("") == -1);
  CHECK(tokenizer->find(std::string_view("a\0b", 3)) == 2);
  CHECK(tokenizer->piece(0) == "");
}

TEST_CASE("special tokens: leftmost, then longest; control tokens only on request") {
  Vocab vocab = make_bpe({}, {"<|a|>", "<|ab|>", "<|"});
  vocab.tokens.insert(vocab.tokens.end(), {"  ", "    "});
  vocab.types.insert(vocab.types.end(), {TokenType::user_defined, TokenType::user_defined});
  const auto tokenizer = build(vocab);
  CHECK(tokenizer->encode("x<|ab|>y", {.parse_special = true}) == Ids{'x', 257, 'y'});
  CHECK(tokenizer->encode("<|a|", {.parse_special = true}) == Ids{258, 'a', '|'});
  CHECK(tokenizer->encode("<|a|>", {}) == Ids{'<', '|', 'a', '|', '>'});
  CHECK(tokenizer->encode("x     y", {}) == Ids{'x', 260, ' ', 'y'});
  CHECK(tokenizer->encode("      ", {}) == Ids{260, 259});
  CHECK(tokenizer->decode(Ids{256, 'x', 260}) == "x    ");
  CHECK(tokenizer->decode(Ids{256, 'x'}, true) == "<|a|>x");
}

TEST_CASE("special tokens may swallow the whitespace beside them") {
  Vocab vocab = make_bpe({}, {"<l>", "<r>"});
  vocab.strip_left = {256};
  vocab.strip_right = {257};
  const auto tokenizer = build(vocab);
  CHECK(tokenizer->encode("a \n<l> b<r> \t\nc", {.parse_special = true}) == Ids{'a', 256, ' ', 'b', 257, 'c'});
  CHECK(tokenizer->encode(" <l>", {.parse_special = true}) == Ids{256});
}

TEST_CASE("bos and eos are added on request, where the vocabulary says so") {
  Vocab vocab = make_bpe({}, {"<s>", "</s>"});
  vocab.bos = 256;
  vocab.eos = 257;
  CHECK(build(vocab)->encode("a", {.add_special = true}) == Ids{'a'});
  vocab.add_bos = vocab.add_eos = true;
  CHECK(build(vocab)->encode("a", {.add_special = true}) == Ids{256, 'a', 257});
  CHECK(build(vocab)->encode("a", {}) == Ids{'a'});
}

TEST_CASE("ends of generation: by role and by text") {
  Vocab vocab = make_bpe({}, {"<stop>", "<turn>", "<|im_end|>", "<|end|>", "<|im_start|>"});
  vocab.eos = 256;
  vocab.eot = 257;
  const auto tokenizer = build(vocab);
  for (const int32_t id : {256, 257, 258, 259}) CHECK(tokenizer->is_end_of_generation(id));
  for (const int32_t id : {260, 65, -1, 1000}) CHECK(!tokenizer->is_end_of_generation(id));
  CHECK(tokenizer->is_control(260));
  CHECK(!tokenizer->is_control(65));
  CHECK(!tokenizer->is_control(-1));
  // gpt-oss: <|end|> ends a message, not the generation.
  const auto oss = build(make_bpe({}, {"<|end|>", "<|return|>", "<|call|>"}));
  CHECK(!oss->is_end_of_generation(256));
  CHECK(oss->is_end_of_generation(257));
}

TEST_CASE("ids out of range have no piece") {
  const auto tokenizer = build(make_bpe({}));
  for (const int32_t id : {-1, 256, std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::min()}) {
    CHECK(tokenizer->piece(id, true) == "");
    CHECK(tokenizer->decode(Ids{'a', id, 'b'}) == "ab");
  }
}

TEST_CASE("thousands of special tokens do not slow a text full of their first characters") {
  std::vector<std::string> control;
  for (int i = 0; i < 5000; ++i) control.push_back("<|reserved_" + std::to_string(i) + "|>");
  const auto tokenizer = build(make_bpe({}, control));
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "<|reserved_" + std::to_string(i % 7000);
  const Ids ids = tokenizer->encode(text + "<|reserved_4999|>", {.parse_special = true});
  CHECK(ids.back() == 256 + 4999);
  CHECK(ids.size() == text.size() + 1);
}
