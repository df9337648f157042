// BPE over characters as they are, the "gemma4" family: merges by rank (bpe_merges.h) without the byte alphabet.
//
// A pre-tokenizer of this family (PreTokenizerSpec::characters) tells how spaces are written and where text is cut:
// Gemma 4 writes U+2581 for a space, cuts at newlines only and takes a run of newlines whole where it is a token. What
// no merge has made a token is encoded as byte tokens <0xNN>; bytes that have none are left out.
//
// Invalid UTF-8 is repaired first (utf8_repair.h).
#pragma once

#include <array>

#include "lib/text/bpe_merges.h"
#include "lib/text/pretokenize.h"
#include "lib/text/tokenizer.h"

namespace quern::text {

class RawBpeTokenizer final : public Tokenizer {
 public:
  /// The vocabulary has passed the checks of Tokenizer::build.
  static Result<std::unique_ptr<Tokenizer>> create(Vocab vocab, std::string_view where);

 private:
  RawBpeTokenizer(Vocab vocab, PreTokenizer pre, Characters characters);
  void encode_text(std::string_view text, bool at_start, std::vector<int32_t>& out) const override;
  std::string token_bytes(int32_t token) const override;

  struct Scratch;
  void encode_word(std::string_view word, Scratch& scratch, std::vector<int32_t>& out) const;

  PreTokenizer pre_;
  Characters characters_;
  std::optional<BpeMerges> merges_;  // set by create()
  std::array<int32_t, 256> byte_token_{};
};

}  // namespace quern::text
