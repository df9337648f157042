#include "lib/text/bpe_merges.h"

#include <algorithm>
#include <bit>

namespace quern::text {
namespace {

constexpr size_t kMaxMerges = size_t{1} << 23;
constexpr size_t kMaxMergeBytes = size_t{128} << 10;

struct MergeParts {
  std::string_view left, right;
};

// A merge is "left right". The left part has at least one byte, so the separator is the first space after that.
Result<MergeParts> parse_merge(std::string_view merge, size_t rank, std::string_view where) {
  QUERN_ENSURE(merge.size() <= kMaxMergeBytes, Errc::unsupported, where, ": merge ", rank, " has ", merge.size(),
               " bytes, at most ", kMaxMergeBytes, " are supported");
  const size_t space = merge.find(' ', 1);
  QUERN_ENSURE(space != std::string_view::npos && space + 1 < merge.size(), Errc::format, where, ": merge ", rank,
               " is '", merge.substr(0, 80), "', expected two parts with a space between them");
  return MergeParts{merge.substr(0, space), merge.substr(space + 1)};
}

uint64_t key_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

BpeMerges::BpeMerges(const TokenIndex& tokens, size_t n_tokens, size_t n_merges)
    : tokens_(&tokens),
      n_tokens_(n_tokens),
      slots_(std::bit_ceil(n_merges + n_merges / 2 + 2)),
      shift_(64 - std::countr_zero(slots_.size())) {}

Result<BpeMerges> BpeMerges::build(const std::vector<std::string>& merges, const TokenIndex& tokens, size_t n_tokens,
                                   std::string_view where) {
  QUERN_ENSURE(merges.size() <= kMaxMerges, Errc::unsupported, where, ": the vocabulary has ", merges.size(),
               " merges, at most ", kMaxMerges, " are supported");
  BpeMerges out(tokens, n_tokens, merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    QUERN_TRY(const MergeParts parts, parse_merge(merges[rank], rank, where));
    const int32_t left = out.symbol(parts.left), right = out.symbol(parts.right);
    out.add(left, right, {static_cast<uint32_t>(rank), out.symbol(cat(parts.left, parts.right))});
  }
  return out;
}

int32_t BpeMerges::find(std::string_view piece) const {
  if (const int32_t id = tokens_->find(piece); id >= 0) return id;
  const auto entry = extra_index_.find(std::string(piece));
  return entry == extra_index_.end() ? kNone : entry->second;
}

int32_t BpeMerges::symbol(std::string_view piece) {
  if (const int32_t id = tokens_->find(piece); id >= 0) return id;
  const auto next = static_cast<int32_t>(n_tokens_ + extra_.size());
  const auto [entry, added] = extra_index_.emplace(piece, next);
  if (added) extra_.emplace_back(piece);
  return entry->second;
}

size_t BpeMerges::locate(uint64_t key) const {
  const size_t mask = slots_.size() - 1;
  size_t i = static_cast<size_t>(key * 0x9E3779B97F4A7C15u >> shift_);  // Fibonacci hashing
  while (slots_[i].merge.merged >= 0 && slots_[i].key != key) i = (i + 1) & mask;
  return i;
}

// Keeps the first of equal pairs.
void BpeMerges::add(int32_t left, int32_t right, Merge merge) {
  const uint64_t key = key_of(left, right);
  Slot& slot = slots_[locate(key)];
  if (slot.merge.merged < 0) slot = {key, merge};
}

void BpeMerges::Word::add(int32_t id) {
  const auto index = static_cast<int32_t>(symbols.size());
  if (index > 0) symbols.back().next = index;
  symbols.push_back({id, index - 1, kEnd});
}

void BpeMerges::push_pair(Word& word, int32_t left) const {
  if (left < 0) return;
  const Symbol& a = word.symbols[static_cast<size_t>(left)];
  if (a.next < 0) return;
  const int32_t right_id = word.symbols[static_cast<size_t>(a.next)].id;
  const Merge merge = slots_[locate(key_of(a.id, right_id))].merge;
  if (merge.merged < 0) return;
  const uint64_t order = uint64_t{merge.rank} << 32 | static_cast<uint32_t>(left);
  word.heap.push_back({order, a.id, right_id, merge.merged});
  std::push_heap(word.heap.begin(), word.heap.end());
}

void BpeMerges::apply(Word& word) const {
  auto& symbols = word.symbols;
  word.heap.clear();
  for (size_t i = 0; i < symbols.size(); ++i) push_pair(word, static_cast<int32_t>(i));
  while (!word.heap.empty()) {
    const Pair best = word.heap.front();
    std::pop_heap(word.heap.begin(), word.heap.end());
    word.heap.pop_back();
    const auto position = static_cast<int32_t>(best.order & 0xFFFFFFFFu);
    Symbol& left = symbols[static_cast<size_t>(position)];
    if (left.id != best.left_id || left.next < 0) continue;  // stale
    Symbol& right = symbols[static_cast<size_t>(left.next)];
    if (right.id != best.right_id) continue;
    left.id = best.merged;
    left.next = right.next;
    right.id = kMerged;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = position;
    push_pair(word, left.previous);
    push_pair(word, position);
  }
}

}  // namespace quern::text
