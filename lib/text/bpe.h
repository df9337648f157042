// Byte-level BPE, the "gpt2" family: text is cut into words by a pre-tokenizer, and each word's bytes are merged pair
// by pair, the pair of the lowest rank first (the leftmost of equals), as long as a merge applies.
//
// Tokens are spelled in GPT-2's byte alphabet (byte_alphabet.h). A merge may produce a piece that is no token; what of
// it is left at the end is encoded byte by byte. Bytes for which the vocabulary has no token are left out, as are the
// tokens of no byte: real vocabularies lack only bytes that valid UTF-8 never has.
//
// Invalid UTF-8: the bytes of no valid character are words of their own, so that every byte is kept.
//
// Sources: Sennrich et al., "Neural machine translation of rare words with subword units" (2016); Radford et al.,
// "Language models are unsupervised multitask learners" (2019).
#pragma once

#include <array>

#include "lib/text/pretokenize.h"
#include "lib/text/tokenizer.h"

namespace quern::text {

/// (left symbol, right symbol) -> (rank, merged symbol): a flat hash table.
class MergeTable {
 public:
  struct Merge {
    uint32_t rank = 0;
    int32_t merged = -1;  ///< -1: no such merge
  };
  explicit MergeTable(size_t n);
  void add(int32_t left, int32_t right, Merge merge);  ///< Keeps the first of equal pairs.
  Merge find(int32_t left, int32_t right) const { return slots_[locate(key_of(left, right))].merge; }

 private:
  struct Slot {
    uint64_t key = 0;
    Merge merge;
  };
  static uint64_t key_of(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  size_t locate(uint64_t key) const;
  std::vector<Slot> slots_;
  int shift_;
};

class BpeTokenizer final : public Tokenizer {
 public:
  /// The vocabulary has passed the checks of Tokenizer::build.
  static Result<std::unique_ptr<Tokenizer>> create(Vocab vocab, std::string_view where);

 private:
  BpeTokenizer(Vocab vocab, PreTokenizer pre);
  Status build_merges(std::string_view where);
  void encode_text(std::string_view text, bool at_start, std::vector<int32_t>& out) const override;
  std::string token_bytes(int32_t token) const override;

  struct Scratch;
  void encode_word(std::string_view word, Scratch& scratch, std::vector<int32_t>& out) const;
  void merge_word(Scratch& scratch) const;
  void push_pair(Scratch& scratch, int32_t left) const;

  PreTokenizer pre_;
  MergeTable merges_{0};
  // Symbols: the tokens, and after them the other pieces that merges speak of (spelled in the alphabet).
  std::array<int32_t, 256> byte_symbol_{};
  std::vector<std::string> extra_symbols_;
};

}  // namespace quern::text
