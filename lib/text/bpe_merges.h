// The merges of a BPE vocabulary: a word's symbols are joined pair by pair, the pair of the lowest rank first (the
// leftmost of equals), as long as a merge applies.
//
// Symbols are the vocabulary's tokens by their ids and, after them, the other pieces that merges speak of.
//
// Source: Sennrich et al., "Neural machine translation of rare words with subword units" (2016).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/base/status.h"
#include "lib/text/token_index.h"

namespace quern::text {

class BpeMerges {
 public:
  /// `tokens` finds the vocabulary's `n_tokens` tokens, and is needed as long as symbol() is called.
  static Result<BpeMerges> build(const std::vector<std::string>& merges, const TokenIndex& tokens, size_t n_tokens,
                                 std::string_view where);

  /// The symbol of a piece; a new one where no token or merge has it.
  int32_t symbol(std::string_view piece);
  /// The symbol of a piece, or kNone.
  int32_t find(std::string_view piece) const;
  static constexpr int32_t kNone = -2;  ///< merges with nothing

  /// A piece that is no token, by its symbol.
  const std::string& text(int32_t symbol) const { return extra_[static_cast<size_t>(symbol) - n_tokens_]; }

  /// A word's symbols as a linked list from which merges take elements; symbol 0 always stays.
  struct Symbol {
    int32_t id;              // kMerged: part of its left neighbour now
    int32_t previous, next;  // kEnd: none
  };
  static constexpr int32_t kEnd = -1, kMerged = -1;
  struct Pair {
    uint64_t order;  // rank, then position
    int32_t left_id, right_id, merged;
    bool operator<(const Pair& other) const { return order > other.order; }  // a heap's top is the lowest
  };
  struct Word {
    std::vector<Symbol> symbols;
    std::vector<Pair> heap;
    void clear() { symbols.clear(); }
    void add(int32_t id);
  };
  /// `word` has at least one symbol.
  void apply(Word& word) const;

 private:
  struct Merge {
    uint32_t rank = 0;
    int32_t merged = -1;  // -1: no such merge
  };
  struct Slot {
    uint64_t key = 0;
    Merge merge;
  };
  BpeMerges(const TokenIndex& tokens, size_t n_tokens, size_t n_merges);
  size_t locate(uint64_t key) const;
  void add(int32_t left, int32_t right, Merge merge);
  void push_pair(Word& word, int32_t left) const;

  const TokenIndex* tokens_;
  size_t n_tokens_;
  std::vector<Slot> slots_;  // a flat hash table
  int shift_;
  std::unordered_map<std::string, int32_t> extra_index_;
  std::vector<std::string> extra_;
};

}  // namespace quern::text
