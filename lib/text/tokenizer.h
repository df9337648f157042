// Text to token ids and back, for every tokenizer family. Immutable after build(): safe to use from many threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"
#include "lib/text/special_tokens.h"
#include "lib/text/token_index.h"
#include "lib/text/vocab.h"

namespace quern::text {

struct EncodeOptions {
  bool add_special = false;  ///< add BOS/EOS where the vocabulary says so
  bool parse_special =
      false;  ///< recognise control tokens written out in the text ("<|im_end|>"); user-defined ones always are
};

/// Splits and merges text of one family; an implementation per family (spm.cc, bpe.cc, ...).
class Tokenizer {
 public:
  /// Validates the vocabulary (sizes of the parallel arrays, ids in range, duplicates, scores, byte tokens, known
  /// pre-tokenizer, merges) and builds the lookup tables. `where` names the file in messages. Empty tokens are
  /// accepted: nothing encodes to them.
  static Result<std::unique_ptr<Tokenizer>> build(Vocab vocab, std::string_view where);
  virtual ~Tokenizer() = default;

  /// Never fails: any bytes are accepted, invalid UTF-8 included (see each family). Special tokens are found leftmost
  /// first, then longest. Time grows with the length of the text, however it looks (times a logarithm, for long words).
  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options) const;

  /// The bytes of one token: may be part of a UTF-8 character. Control tokens give "" unless `special`. An id out of
  /// range gives "".
  std::string piece(int32_t token, bool special = false) const;

  /// The bytes of a run of tokens. Where `at_start`, the dummy space that encode() puts before a text is removed again:
  /// from the first token, or the first after control tokens that are left out.
  std::string decode(std::span<const int32_t> tokens, bool special = false, bool at_start = true) const;

  const Vocab& vocab() const { return vocab_; }
  int32_t n_tokens() const { return static_cast<int32_t>(vocab_.tokens.size()); }
  bool is_control(int32_t token) const;
  /// End-of-generation tokens: eos, eot, eom and tokens that models use as such by their text ("<|im_end|>",
  /// "<|eot_id|>",
  /// "<end_of_turn>", "<|end|>", "<|endoftext|>", ...).
  bool is_end_of_generation(int32_t token) const;
  /// The id of a token by its exact text in the vocabulary, or -1.
  int32_t find(std::string_view text) const;

 protected:
  explicit Tokenizer(Vocab vocab);
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  /// Encodes a stretch of ordinary text (no special tokens inside) of at most kMaxStretchBytes. `at_start`: nothing
  /// precedes it or a special token does.
  virtual void encode_text(std::string_view text, bool at_start, std::vector<int32_t>& out) const = 0;
  virtual std::string token_bytes(int32_t token) const = 0;
  /// Whether the first token of a text begins with a space that is not in the text.
  virtual bool begins_with_dummy_space() const { return false; }
  /// Whether the token stands for ordinary text: neither control nor unknown.
  bool is_ordinary(int32_t token) const;

  static constexpr size_t kMaxStretchBytes = size_t{1} << 28;

  const Vocab vocab_;
  const TokenIndex index_;  ///< all non-empty tokens by their text

 private:
  void encode_ordinary(std::string_view text, bool is_first, std::vector<int32_t>& out) const;

  const SpecialTokens special_;
  std::vector<bool> ends_generation_, strips_left_, strips_right_;  // by id
};

}  // namespace quern::text
