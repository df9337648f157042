// Text to token ids and back, for every tokenizer family. Immutable after build(): safe to use from many threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"
#include "lib/text/vocab.h"

namespace quern::text {

struct EncodeOptions {
  bool add_special = false;    ///< add BOS/EOS where the vocabulary says so
  bool parse_special = false;  ///< recognise control tokens written out in the text ("<|im_end|>"); user-defined ones always are
};

/// Splits and merges text of one family; an implementation per family (spm.cc, bpe.cc).
class Tokenizer {
 public:
  /// Validates the vocabulary (sizes of the parallel arrays, ids in range, byte tokens, known pre-tokenizer, merges) and
  /// builds the lookup tables. `where` names the file in messages.
  static Result<std::unique_ptr<Tokenizer>> build(Vocab vocab, std::string_view where);
  virtual ~Tokenizer() = default;

  /// Never fails: any bytes are accepted, invalid UTF-8 included (as the reference engine treats it: see each family).
  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options) const;

  /// The bytes of one token: may be part of a UTF-8 character. Control tokens give "" unless `special`. An id out of
  /// range gives "".
  std::string piece(int32_t token, bool special = false) const;

  /// The bytes of a run of tokens; a leading dummy space that encode() added is removed from the front of the text where
  /// `at_start`.
  std::string decode(std::span<const int32_t> tokens, bool special = false, bool at_start = true) const;

  const Vocab& vocab() const { return vocab_; }
  int32_t n_tokens() const { return static_cast<int32_t>(vocab_.tokens.size()); }
  bool is_control(int32_t token) const;
  /// End-of-generation tokens: eos, eot, eom and tokens that models use as such by their text ("<|im_end|>", "<|eot_id|>",
  /// "<end_of_turn>", "<|end|>", "<|endoftext|>", …).
  bool is_end_of_generation(int32_t token) const;
  /// The id of a token by its exact text in the vocabulary, or -1.
  int32_t find(std::string_view text) const;

 protected:
  explicit Tokenizer(Vocab vocab) : vocab_(std::move(vocab)) {}
  /// Encodes a stretch of ordinary text (no special tokens inside). `at_start`: nothing precedes it or a special token does.
  virtual void encode_text(std::string_view text, bool at_start, std::vector<int32_t>& out) const = 0;
  virtual std::string token_bytes(int32_t token) const = 0;

  Vocab vocab_;

 private:
  Status build_special_tokens(std::string_view where);
  struct SpecialIndex;
  std::shared_ptr<const SpecialIndex> special_;
};

}  // namespace quern::text
