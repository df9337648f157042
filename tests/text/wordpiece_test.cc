#include "lib/text/wordpiece.h"

#include "lib/text/unicode_fold.h"
#include "tests/text/test_vocab.h"

using namespace quern;
using namespace quern::text;

namespace {

// 0 [UNK], then the tokens; those that begin a word have U+2581 in front.
Vocab make_wordpiece(const std::vector<std::string>& tokens) {
  Vocab vocab;
  vocab.kind = VocabKind::wordpiece;
  vocab.tokens = {"[UNK]"};
  vocab.tokens.insert(vocab.tokens.end(), tokens.begin(), tokens.end());
  vocab.types.assign(vocab.tokens.size(), TokenType::normal);
  vocab.types[0] = TokenType::unknown;
  vocab.unk = 0;
  vocab.lowercase = vocab.strip_accents = true;
  return vocab;
}

}  // namespace

TEST_CASE("a word is cut into its longest tokens from the left, or is unknown as a whole") {
  // Devlin et al.'s example of greedy matching: "unaffable".
  const auto tokenizer =
      build(make_wordpiece({"\u2581un", "aff", "able", "\u2581a", "\u2581unaff", "ab", "\u2581!", "le"}));
  CHECK(tokenizer->encode("unaffable", {}) == Ids{5, 3});
  CHECK(tokenizer->encode("un able", {}) == Ids{1, 0});  // "able" begins no word here
  CHECK(tokenizer->encode("unabz a", {}) == Ids{0, 4});
  CHECK(tokenizer->encode("a!a", {}) == Ids{4, 7, 4});
  CHECK(tokenizer->encode(" \t\n", {}) == Ids{});
  CHECK(tokenizer->decode(Ids{4, 1, 3, 7}) == "a unable !");
}

TEST_CASE("uncased vocabularies see lower case without accents; cased ones see the text") {
  Vocab vocab = make_wordpiece({"\u2581resume", "\u2581R\u00e9sum\u00e9", "\u2581i"});
  CHECK(build(vocab)->encode("R\u00e9sum\u00e9 RESUME re\u0301sume \u0130", {}) == Ids{1, 1, 1, 3});
  vocab.lowercase = vocab.strip_accents = false;
  CHECK(build(vocab)->encode("R\u00e9sum\u00e9 resume RESUME", {}) == Ids{2, 1, 0});
  vocab.lowercase = true;
  CHECK(build(vocab)->encode("RESUME R\u00e9sum\u00e9", {}) == Ids{1, 0});
}

TEST_CASE("ideographs, punctuation and ASCII symbols stand alone; control characters go") {
  const auto tokenizer =
      build(make_wordpiece({"\u2581a", "\u2581\u4e2d", "\u2581\u6587", "\u2581$", "\u2581ab", "\u2581\u3002"}));
  CHECK(tokenizer->encode("a\u4e2d\u6587a$a\u3002", {}) == Ids{1, 2, 3, 1, 4, 1, 6});
  CHECK(tokenizer->encode(std::string("a\0b", 3), {}) == Ids{5});
  CHECK(tokenizer->encode("a\u200db a\xFF\xFE"
                          "b a\u00a0a",
                          {}) == Ids{5, 5, 1, 1});
}

TEST_CASE("case and bases of characters, from Unicode's data") {
  CHECK(lower_char('Z') == 'z');
  CHECK(lower_char(0x410) == 0x430);
  CHECK(lower_char(0x1E9E) == 0xDF);
  CHECK(lower_char(0x100) == 0x101);
  CHECK(lower_char(0x101) == 0x101);
  CHECK(lower_char(0x10400) == 0x10428);
  CHECK(lower_char(0x4E00) == 0x4E00);
  CHECK(base_char(0xE9) == 'e');
  CHECK(base_char(0x1EA8) == 'A');  // two steps: a circumflex, then a hook above it
  CHECK(base_char(0xAC01) == 0x1100);
  CHECK(base_char(0xD7A3) == 0x1112);
  CHECK(base_char(0xF900) == 0x8C48);
  CHECK(base_char(0x2126) == 0x3A9);
  CHECK(base_char(0x41) == 0x41);
  CHECK(base_char(0xD8) == 0xD8);  // the stroke is part of the letter
}

TEST_CASE("a word of a megabyte is no problem") {
  const auto tokenizer = build(make_wordpiece({"\u2581a", "aa", "a"}));
  CHECK(tokenizer->encode(std::string(1 << 20, 'A'), {}).size() == (1 << 19) + 1);
}
