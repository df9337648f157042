// SentencePiece unigram, the "t5" family: of all ways to cut a text into tokens, the one with the best sum of scores.
//
// Text is normalized first: the character map (charsmap.h) replaces strings, runs of spaces become one and those at the
// ends go (remove_extra_whitespaces), each word gets U+2581 in front, the first one only with add_space_prefix. Tokens
// and user-defined tokens (score 0) may stand anywhere; a character that no token of its own covers costs kPenalty
// below the worst score and becomes the unknown token, a run of them one. Sums are in double precision, the earlier
// found of equals wins. Control, unknown and unused tokens never come out of text.
//
// Invalid UTF-8: a byte that begins no character becomes U+FFFD; what else is invalid stays and is cut by the length
// that its first byte announces.
//
// Sources: Kudo, "Subword regularization" (2018); Kudo & Richardson, "SentencePiece" (2018); Viterbi (1967).
#pragma once

#include "lib/text/charsmap.h"
#include "lib/text/token_trie.h"
#include "lib/text/tokenizer.h"

namespace quern::text {

class UnigramTokenizer final : public Tokenizer {
 public:
  static constexpr float kPenalty = 10;

  /// The vocabulary has passed the checks of Tokenizer::build.
  static Result<std::unique_ptr<Tokenizer>> create(Vocab vocab, std::string_view where);

  /// The text that the search sees; for tests.
  std::string normalize(std::string_view text, bool at_start) const;

 private:
  UnigramTokenizer(Vocab vocab, Charsmap charsmap);
  void encode_text(std::string_view text, bool at_start, std::vector<int32_t>& out) const override;
  std::string token_bytes(int32_t token) const override;
  bool begins_with_dummy_space() const override { return vocab_.add_space_prefix; }
  std::string_view next_piece(std::string_view text, size_t& size) const;

  struct Scratch;
  void relax(std::string_view text, size_t begin, Scratch& scratch) const;
  void encode_segment(std::string_view text, Scratch& scratch, std::vector<int32_t>& out) const;

  Charsmap charsmap_;
  TokenTrie trie_;          // what text may become
  TokenTrie user_defined_;  // of these, what normalization leaves alone
  double unknown_score_ = 0;
  bool cut_at_spaces_ = true;  // no token has U+2581 after another character: no token crosses such a place
};

}  // namespace quern::text
