// Vocab: a tokenizer's data as plain data, whichever file it came from. model/ fills it, text/ tokenizes with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern::text {

/// GGUF's token types, same numbers.
enum class TokenType : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

/// Tokenizer families (tokenizer.ggml.model).
enum class VocabKind : uint8_t {
  spm,  ///< "llama": SentencePiece BPE by scores, byte fallback
  bpe,  ///< "gpt2": byte-level BPE by merge ranks, with a pre-tokenizer
};

struct Vocab {
  VocabKind kind = VocabKind::spm;
  std::string pre;                  ///< pre-tokenizer name of a BPE vocabulary ("llama-bpe", ...): see pretokenize.h
  std::vector<std::string> tokens;  ///< index = id. BPE: in GPT-2's byte-to-unicode alphabet. SPM: U+2581 for a space.
  std::vector<float> scores;        ///< SPM: one per token
  std::vector<TokenType> types;     ///< one per token
  std::vector<std::string> merges;  ///< BPE: "left right", index = rank

  std::optional<int32_t> bos, eos, unk, pad, sep, eot, eom;
  std::vector<int32_t> strip_left, strip_right;  ///< special tokens that swallow the whitespace before / after them

  bool add_bos = false;
  bool add_eos = false;
  bool add_space_prefix = false;  ///< SPM: put U+2581 before the text (and after each special token)
  bool ignore_merges = false;     ///< BPE: a pre-token that is a whole vocabulary entry is taken as it is
};

}  // namespace quern::text
