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
  spm,        ///< "llama": SentencePiece BPE by scores, byte fallback
  bpe,        ///< "gpt2": byte-level BPE by merge ranks, with a pre-tokenizer
  wordpiece,  ///< "bert": words cut into the longest tokens, greedily from the left
  unigram,    ///< "t5": SentencePiece unigram, the cut with the best sum of scores
  raw_bpe,    ///< "gemma4": BPE by merge ranks over UTF-8 as it is, U+2581 for a space, byte fallback
  trie,       ///< "rwkv": the longest token at each place
  none,       ///< "none", "no_vocab": ids without texts
};

struct Vocab {
  VocabKind kind = VocabKind::spm;
  std::string pre;                  ///< pre-tokenizer name of a BPE vocabulary ("llama-bpe", ...): see pretokenize.h
  std::vector<std::string> tokens;  ///< index = id. BPE: in GPT-2's byte-to-unicode alphabet. Raw BPE, SPM and unigram:
                                    ///< U+2581 for a space. WordPiece: U+2581 begins a word. Trie: bytes. None: empty.
  std::vector<float> scores;        ///< SPM, unigram: one per token
  std::vector<TokenType> types;     ///< one per token
  std::vector<std::string> merges;  ///< BPE, raw BPE: "left right", index = rank
  std::string charsmap;             ///< unigram: SentencePiece's precompiled normalizer, empty for none (charsmap.h)

  std::optional<int32_t> bos, eos, unk, pad, sep, eot, eom, mask;  ///< WordPiece: bos is [CLS]
  std::vector<int32_t> strip_left, strip_right;  ///< special tokens that swallow the whitespace before / after them

  bool add_bos = false;
  bool add_eos = false;
  bool add_sep = false;                   ///< WordPiece: sep ends a text
  bool add_space_prefix = false;          ///< SPM, unigram: put U+2581 before the text (and after each special token)
  bool remove_extra_whitespaces = false;  ///< unigram: runs of spaces become one, none at the ends
  bool lowercase = false;                 ///< WordPiece: text becomes lower-case
  bool strip_accents = false;             ///< WordPiece: accents and other marks go
  bool ignore_merges = false;             ///< BPE: a pre-token that is a whole vocabulary entry is taken as it is

  std::vector<int32_t> ends;       ///< further tokens that end a generation
  bool nfc = false;                ///< ordinary text is put into Unicode's normalization form C first
  bool prefix_once = false;        ///< the space prefix goes before the text, not also after special tokens
  bool prefix_if_missing = false;  ///< no space prefix where the text begins with a space
};

}  // namespace quern::text
