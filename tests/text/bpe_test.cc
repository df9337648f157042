#include "lib/text/bpe.h"

#include "lib/text/utf8_repair.h"
#include "tests/text/test_vocab.h"

using namespace quern;
using namespace quern::text;

static int32_t byte(char c) { return static_cast<uint8_t>(c); }

TEST_CASE("the byte alphabet maps each byte to a character and back") {
  for (int b = 0; b < 256; ++b) {
    const std::string_view letter = byte_to_alphabet(static_cast<uint8_t>(b));
    CHECK(alphabet_to_bytes(letter) == std::string(1, static_cast<char>(b)));
  }
  CHECK(byte_to_alphabet(' ') == "\u0120");
  CHECK(byte_to_alphabet('\n') == "\u010A");
  CHECK(byte_to_alphabet(0xAD) == "\u0143");
  CHECK(alphabet_to_bytes("\u4f60\xFF") == "\u4f60\xFF");  // not of the alphabet
}

TEST_CASE("merges apply by rank, the leftmost of equals first") {
  const auto tokenizer = build(make_bpe({"b c", "a b", "a a", "bc d"}));
  CHECK(tokenizer->encode("abc", {}) == Ids{byte('a'), 256});
  CHECK(tokenizer->encode("abd", {}) == Ids{257, byte('d')});
  CHECK(tokenizer->encode("aaa", {}) == Ids{258, byte('a')});
  CHECK(tokenizer->encode("xbcd", {}) == Ids{byte('x'), 259});
}

TEST_CASE("a merge may pass through a piece that is no token") {
  Vocab vocab = make_bpe({"a b", "ab c"});
  vocab.tokens[256] = "unrelated";  // "ab" is no token any more
  const auto tokenizer = build(vocab);
  CHECK(tokenizer->encode("abc", {}) == Ids{257});
  CHECK(tokenizer->encode("abx", {}) == Ids{byte('a'), byte('b'), byte('x')});
}

TEST_CASE("ignore_merges takes a whole word as it is, but no control token") {
  Vocab vocab = make_bpe({"a b"}, {"ctl"});
  vocab.tokens.push_back("\u0120abc");
  vocab.types.push_back(TokenType::normal);
  CHECK(build(vocab)->encode("x abc", {}) == Ids{byte('x'), byte(' '), 256, byte('c')});
  vocab.ignore_merges = true;
  CHECK(build(vocab)->encode("x abc", {}) == Ids{byte('x'), 258});
  CHECK(build(vocab)->encode("ctl", {}) == Ids{byte('c'), byte('t'), byte('l')});
}

TEST_CASE("bytes without a token are left out") {
  Vocab vocab = make_bpe({});
  vocab.tokens[static_cast<size_t>(byte('b'))] = "unrelated";
  CHECK(build(vocab)->encode("abc", {}) == Ids{byte('a'), byte('c')});
}

TEST_CASE("malformed merges are refused by rank; merges of unknown pieces, repeated ones and NUL are not") {
  for (const char* merge : {"", "ab", " ", "  ", "a ", " a"}) {
    Vocab vocab = make_bpe({"a b"});
    vocab.merges.push_back(merge);
    CAPTURE(merge);
    CHECK(refusal(vocab).starts_with("test: merge 1 is '"));
  }
  Vocab vocab = make_bpe({"a b"});
  for (const std::string& merge : {std::string("zzz yyy"), std::string("a b"), std::string("a b c"),
                                   std::string("h\0 e", 4), std::string("\xFF\xFE \xC0")}) {
    vocab.merges.push_back(merge);
  }
  CHECK(build(vocab)->encode("ab", {}) == Ids{256});
  vocab.merges.push_back("h " + std::string(200'000, 'e'));
  CHECK(refusal(vocab).starts_with("test: merge 6 has 200002 bytes"));
}

TEST_CASE("an unknown pre-tokenizer is refused") {
  Vocab vocab = make_bpe({});
  vocab.pre = "no-such";
  CHECK(refusal(vocab) == "test: the pre-tokenizer 'no-such' is not supported");
}

TEST_CASE("decoding gives the text back, repaired where it is no UTF-8") {
  std::mt19937 rng(13);
  for (const char* pre : {"gpt-2", "llama-bpe", "deepseek-v3", "gpt-4o", "default", "superbpe", "afmoe", "tiny_aya"}) {
    Vocab vocab = load_vocab("small_bpe.json");
    vocab.pre = pre;
    const auto tokenizer = build(vocab);
    for (int round = 0; round < 100; ++round) {
      std::string text = random_text(rng, 1 + static_cast<size_t>(round) % 40);
      for (int i = 0; i < round % 4; ++i) text[rng() % text.size()] = static_cast<char>(rng());
      const std::string whole = is_valid_utf8(text) ? text : repair_utf8(text).bytes;
      CHECK(tokenizer->decode(tokenizer->encode(text, {})) == whole);
    }
  }
}

TEST_CASE("a word of a megabyte is no problem") {
  const auto tokenizer = build(load_vocab("small_bpe.json"));
  std::string text;
  while (text.size() < 1 << 20) text += "thereandhere";
  CHECK(tokenizer->decode(tokenizer->encode(text, {})) == text);
}
