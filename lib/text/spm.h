// SentencePiece BPE, the "llama" family: tokens with scores, merged best score first; bytes where no token fits.
//
// A space is written U+2581. The text is cut into characters; as long as two neighbours together are a token, the pair
// whose token has the highest score (the leftmost of equals) becomes one. A character that is no token at the end is
// encoded as byte tokens <0xNN>; where a byte has none, as the unknown token, or, without one, left out.
// Control, unknown and byte tokens never come out of merges: text cannot spell them.
//
// Invalid UTF-8: a byte above 0x7F claims the length that its upper four bits say, and the bytes it covers that are no
// token become byte tokens one by one, so that every byte is kept. A space that a broken character swallows stays
// U+2581, as in the reference engine.
//
// Sources: Kudo & Richardson, "SentencePiece" (2018); Sennrich et al., "Neural machine translation of rare words with
// subword units" (2016).
#pragma once

#include <array>

#include "lib/text/tokenizer.h"

namespace quern::text {

class SpmTokenizer final : public Tokenizer {
 public:
  /// The vocabulary has passed the checks of Tokenizer::build.
  static Result<std::unique_ptr<Tokenizer>> create(Vocab vocab, std::string_view where);

 private:
  explicit SpmTokenizer(Vocab vocab);
  void encode_text(std::string_view text, bool at_start, std::vector<int32_t>& out) const override;
  std::string token_bytes(int32_t token) const override;
  bool begins_with_dummy_space() const override { return vocab_.add_space_prefix; }

  struct Scratch;
  void encode_segment(std::string_view text, Scratch& scratch, std::vector<int32_t>& out) const;
  void push_pair(std::string_view text, Scratch& scratch, int32_t left) const;
  void emit(std::string_view symbol, std::vector<int32_t>& out) const;
  int32_t mergeable(std::string_view text) const;

  std::array<int32_t, 256> byte_token_{};  // -1: none
  size_t max_token_bytes_ = 0;
  bool cut_at_spaces_ = true;  // no token has U+2581 after another character: no merge crosses such a place
};

}  // namespace quern::text
