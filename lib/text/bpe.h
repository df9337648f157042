// Byte-level BPE, the "gpt2" family: text is cut into words by a pre-tokenizer, and each word's bytes are merged
// (bpe_merges.h).
//
// Tokens are spelled in GPT-2's byte alphabet (byte_alphabet.h). A merge may produce a piece that is no token; what of
// it is left at the end is encoded byte by byte. Bytes for which the vocabulary has no token are left out, as are the
// tokens of no byte: real vocabularies lack only bytes that valid UTF-8 never has.
//
// Invalid UTF-8 is repaired first (utf8_repair.h).
//
// Source: Radford et al., "Language models are unsupervised multitask learners" (2019).
#pragma once

#include <array>

#include "lib/text/bpe_merges.h"
#include "lib/text/pretokenize.h"
#include "lib/text/tokenizer.h"

namespace quern::text {

class BpeTokenizer final : public Tokenizer {
 public:
  /// The vocabulary has passed the checks of Tokenizer::build.
  static Result<std::unique_ptr<Tokenizer>> create(Vocab vocab, std::string_view where);

 private:
  BpeTokenizer(Vocab vocab, PreTokenizer pre);
  void encode_text(std::string_view text, bool at_start, std::vector<int32_t>& out) const override;
  std::string token_bytes(int32_t token) const override;

  struct Scratch;
  void encode_word(std::string_view word, Scratch& scratch, std::vector<int32_t>& out) const;

  PreTokenizer pre_;
  std::optional<BpeMerges> merges_;  // set by create()
  std::array<int32_t, 256> byte_symbol_{};
};

}  // namespace quern::text
