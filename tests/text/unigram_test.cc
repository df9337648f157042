#include "lib/text/unigram.h"

#include "lib/text/charsmap.h"
#include "tests/text/test_vocab.h"

using namespace quern;
using namespace quern::text;

static const std::string kSpace = "\u2581";

static Vocab make_unigram(const std::vector<Piece>& pieces) {
  Vocab vocab = make_spm(pieces);
  vocab.kind = VocabKind::unigram;
  vocab.tokens.push_back("<unk>");
  vocab.scores.push_back(0);
  vocab.types.push_back(TokenType::unknown);
  vocab.unk = static_cast<int32_t>(vocab.tokens.size()) - 1;
  return vocab;
}

TEST_CASE("the cut with the best sum wins, not the longest token") {
  const auto tokenizer = build(make_unigram({{"a", -1}, {"b", -1}, {"ab", -3}, {"abc", -2}, {"c", -0.5f}, {"bc", -4}}));
  CHECK(tokenizer->encode("ab", {}) == Ids{0, 1});
  CHECK(tokenizer->encode("abc", {}) == Ids{3});
  CHECK(tokenizer->encode("abcab", {}) == Ids{3, 0, 1});
}

TEST_CASE("characters without a token are one unknown token for each run") {
  const Vocab vocab = make_unigram({{"a", -1}, {kSpace, -2}});
  CHECK(build(vocab)->encode("a\u4f60\u597da\u4f60", {}) == Ids{0, 2, 0, 2});
  Vocab without = vocab;
  without.unk.reset();
  CHECK(build(without)->encode("a\u4f60a", {}) == Ids{0, 0});
}

TEST_CASE("control and unused tokens never come out of text; user-defined ones cost nothing") {
  const auto tokenizer = build(make_unigram({{"a", -1},
                                             {"aa", 5, TokenType::unused},
                                             {"<x>", 5, TokenType::control},
                                             {"<", -1},
                                             {"x", -1},
                                             {">", -1},
                                             {"xa", -9, TokenType::user_defined}}));
  CHECK(tokenizer->encode("aa<x>", {}) == Ids{0, 0, 3, 4, 5});
  CHECK(tokenizer->encode("<x>", {.parse_special = true}) == Ids{2});
  CHECK(tokenizer->encode("axa", {}) == Ids{0, 6});
}

TEST_CASE("spaces: a prefix, and runs that become one") {
  Vocab vocab = make_unigram({{"a", -1}, {kSpace, -2}, {kSpace + "a", -1}});
  const auto normalized = [&](bool prefix, bool merge, std::string_view text) {
    vocab.add_space_prefix = prefix;
    vocab.remove_extra_whitespaces = merge;
    const auto tokenizer = UnigramTokenizer::create(vocab, "test").value();
    return static_cast<const UnigramTokenizer&>(*tokenizer).normalize(text, true);
  };
  CHECK(normalized(true, true, "  a  a ") == "\u2581a\u2581a");
  CHECK(normalized(false, true, "  a  a ") == "a\u2581a");
  CHECK(normalized(true, false, " a  a ") == "\u2581\u2581a\u2581\u2581a\u2581");
  CHECK(normalized(false, false, " a ") == "\u2581a\u2581");
  CHECK(normalized(true, true, "a\xFF") == "\u2581a\uFFFD");
  vocab.add_space_prefix = true;
  CHECK(build(vocab)->decode(Ids{2, 2}) == "a a");
}

TEST_CASE("cutting at spaces changes nothing") {
  std::mt19937 rng(17);
  Vocab crossing = load_vocab("small_unigram.json");
  crossing.tokens.push_back("\u0001" + kSpace + "\u0001");  // in no text of this test: switches the cutting off
  crossing.scores.push_back(-1);
  crossing.types.push_back(TokenType::normal);
  const auto cutting = build(load_vocab("small_unigram.json")), whole = build(crossing);
  for (int round = 0; round < 200; ++round) {
    const std::string text = "I saw  the captain " + random_text(rng, 12) + " aaaaaaa   was aaaa";
    CHECK(cutting->encode(text, {}) == whole->encode(text, {}));
  }
}

TEST_CASE("the character map replaces the longest string") {
  const auto tokenizer = UnigramTokenizer::create(load_vocab("small_unigram.json"), "test").value();
  const auto& unigram = static_cast<const UnigramTokenizer&>(*tokenizer);
  CHECK(unigram.normalize("\uff21\uff42\ufb01", true) == kSpace + "Abfi");
  CHECK(unigram.normalize("e\u0301e\u2026", true) == kSpace + "\u00e9e...");
  CHECK(unigram.normalize("a\u200b\u3000 \tb\n", true) == kSpace + "a" + kSpace + "b");
}

TEST_CASE("a malformed character map is refused, and the message says what is wrong") {
  const auto with = [](const std::string& charsmap) {
    Vocab vocab = make_unigram({{"a", -1}});
    vocab.charsmap = charsmap;
    return refusal(vocab);
  };
  const auto u32 = [](uint32_t v) {
    return std::string{static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16),
                       static_cast<char>(v >> 24)};
  };
  CHECK(with("") == "");
  CHECK(with("ab") == "test: the character map has 2 bytes, at least 4 are needed");
  CHECK(with(u32(8) + u32(0) + u32(0)).starts_with("test: the character map says that 8 of its 8 bytes are the array"));
  CHECK(with(u32(6) + u32(0) + u32(0)).starts_with("test: the character map says that 6 of its 8 bytes"));
  CHECK(with(u32(0) + u32(0)).starts_with("test: the character map says that 0 of its 4"));
  CHECK(with(u32(4) + u32(0) + "x") == "test: the last replacement of the character map has no end");
  CHECK(with(u32(4) + u32(0x80000002) + std::string("x\0", 2)) ==
        "test: unit 0 of the character map points to byte 2 of 2");
  CHECK(with(u32(4) + u32(0xFFFFFC00 & 0x7FFFFFFF) + std::string("x\0", 2)) == "");  // leads nowhere
}

TEST_CASE("a word of a megabyte is no problem") {
  const auto tokenizer = build(load_vocab("small_unigram.json"));
  const std::string text(1 << 20, 'e');
  CHECK(tokenizer->decode(tokenizer->encode(text, {})) == text);
}
