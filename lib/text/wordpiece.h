// WordPiece, the "bert" family: text is cut into words, and each word into the longest tokens, greedily from the left.
//
// White space and punctuation separate words; a punctuation character, an ASCII symbol or an ideograph is a word of its
// own. Control characters go. An uncased vocabulary sees lower case, and without accents: each character's base, and no
// marks. Tokens that begin a word have U+2581 in front, others nothing. A word that tokens do not cover whole is the
// unknown token.
//
// As in files of this family: of a character's decomposition the first part counts, so that a Hangul syllable becomes
// its leading consonant; spacing marks go like the others; no word is too long.
//
// Invalid UTF-8 is repaired first (utf8_repair.h); U+FFFD goes like a control character.
//
// Sources: Schuster & Nakajima, "Japanese and Korean voice search" (2012); Devlin et al., "BERT" (2019).
#pragma once

#include "lib/text/regex.h"
#include "lib/text/token_trie.h"
#include "lib/text/tokenizer.h"

namespace quern::text {

class WordPieceTokenizer final : public Tokenizer {
 public:
  /// The vocabulary has passed the checks of Tokenizer::build.
  static Result<std::unique_ptr<Tokenizer>> create(Vocab vocab, std::string_view where);

 private:
  WordPieceTokenizer(Vocab vocab, Regex words, Regex left_out);
  void encode_text(std::string_view text, bool at_start, std::vector<int32_t>& out) const override;
  std::string token_bytes(int32_t token) const override;
  bool begins_with_dummy_space() const override { return true; }
  std::string normalize(std::string_view text, RegexScratch& scratch) const;
  void encode_word(std::string_view marked_word, std::vector<int32_t>& out) const;

  TokenTrie trie_;
  Regex words_, left_out_;
};

}  // namespace quern::text
