#include "lib/text/bpe.h"

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "lib/text/byte_alphabet.h"

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

}  // namespace

MergeTable::MergeTable(size_t n) : slots_(std::bit_ceil(n + n / 2 + 2)), shift_(64 - std::countr_zero(slots_.size())) {}

size_t MergeTable::locate(uint64_t key) const {
  const size_t mask = slots_.size() - 1;
  size_t i = static_cast<size_t>(key * 0x9E3779B97F4A7C15u >> shift_);  // Fibonacci hashing
  while (slots_[i].merge.merged >= 0 && slots_[i].key != key) i = (i + 1) & mask;
  return i;
}

void MergeTable::add(int32_t left, int32_t right, Merge merge) {
  const uint64_t key = key_of(left, right);
  Slot& slot = slots_[locate(key)];
  if (slot.merge.merged < 0) slot = {key, merge};
}

// The bytes of a word as a linked list of symbols in which merges remove elements, and the candidates as a heap.
struct BpeTokenizer::Scratch {
  struct Symbol {
    int32_t id;              // -1: merged into its left neighbour
    int32_t previous, next;  // -1: none
  };
  struct Pair {
    uint64_t order;  // rank, then position
    int32_t left_id, right_id, merged;
    bool operator<(const Pair& other) const { return order > other.order; }  // the heap's top is the lowest
  };
  std::vector<Symbol> symbols;
  std::vector<Pair> heap;
  std::string spelled;
};

Result<std::unique_ptr<Tokenizer>> BpeTokenizer::create(Vocab vocab, std::string_view where) {
  QUERN_TRY(PreTokenizer pre, PreTokenizer::create(vocab.pre, where));
  std::unique_ptr<BpeTokenizer> tokenizer(new BpeTokenizer(std::move(vocab), std::move(pre)));
  QUERN_CHECK(tokenizer->build_merges(where));
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

BpeTokenizer::BpeTokenizer(Vocab vocab, PreTokenizer pre) : Tokenizer(std::move(vocab)), pre_(std::move(pre)) {}

Status BpeTokenizer::build_merges(std::string_view where) {
  const auto& merges = vocab_.merges;
  QUERN_ENSURE(merges.size() <= kMaxMerges, Errc::unsupported, where, ": the vocabulary has ", merges.size(),
               " merges, at most ", kMaxMerges, " are supported");
  std::unordered_map<std::string, int32_t> extra;
  const auto symbol_of = [&](std::string_view text) {
    if (const int32_t id = find(text); id >= 0) return id;
    const auto next = static_cast<int32_t>(vocab_.tokens.size() + extra_symbols_.size());
    const auto [entry, added] = extra.emplace(text, next);
    if (added) extra_symbols_.emplace_back(text);
    return entry->second;
  };
  for (size_t byte = 0; byte < 256; ++byte)
    byte_symbol_[byte] = symbol_of(byte_to_alphabet(static_cast<uint8_t>(byte)));
  merges_ = MergeTable(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    QUERN_TRY(const MergeParts parts, parse_merge(merges[rank], rank, where));
    const int32_t left = symbol_of(parts.left);
    const int32_t right = symbol_of(parts.right);
    merges_.add(left, right, {static_cast<uint32_t>(rank), symbol_of(cat(parts.left, parts.right))});
  }
  return {};
}

void BpeTokenizer::push_pair(Scratch& scratch, int32_t left) const {
  if (left < 0) return;
  const auto& a = scratch.symbols[static_cast<size_t>(left)];
  if (a.next < 0) return;
  const int32_t right_id = scratch.symbols[static_cast<size_t>(a.next)].id;
  const MergeTable::Merge merge = merges_.find(a.id, right_id);
  if (merge.merged < 0) return;
  const uint64_t order = uint64_t{merge.rank} << 32 | static_cast<uint32_t>(left);
  scratch.heap.push_back({order, a.id, right_id, merge.merged});
  std::push_heap(scratch.heap.begin(), scratch.heap.end());
}

void BpeTokenizer::merge_word(Scratch& scratch) const {
  auto& symbols = scratch.symbols;
  scratch.heap.clear();
  for (size_t i = 0; i < symbols.size(); ++i) push_pair(scratch, static_cast<int32_t>(i));
  while (!scratch.heap.empty()) {
    const Scratch::Pair best = scratch.heap.front();
    std::pop_heap(scratch.heap.begin(), scratch.heap.end());
    scratch.heap.pop_back();
    const auto position = static_cast<int32_t>(best.order & 0xFFFFFFFFu);
    auto& left = symbols[static_cast<size_t>(position)];
    if (left.id != best.left_id || left.next < 0) continue;  // stale
    auto& right = symbols[static_cast<size_t>(left.next)];
    if (right.id != best.right_id) continue;
    left.id = best.merged;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = position;
    push_pair(scratch, left.previous);
    push_pair(scratch, position);
  }
}

void BpeTokenizer::encode_word(std::string_view word, Scratch& scratch, std::vector<int32_t>& out) const {
  if (vocab_.ignore_merges) {
    scratch.spelled.clear();
    for (const char c : word) scratch.spelled.append(byte_to_alphabet(static_cast<uint8_t>(c)));
    if (const int32_t id = find(scratch.spelled); id >= 0 && is_ordinary(id)) {
      out.push_back(id);
      return;
    }
  }
  auto& symbols = scratch.symbols;
  symbols.clear();
  for (const char c : word) {
    const auto index = static_cast<int32_t>(symbols.size());
    symbols.push_back({byte_symbol_[static_cast<uint8_t>(c)], index - 1, index + 1});
  }
  symbols.back().next = -1;
  merge_word(scratch);

  for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
    const int32_t id = symbols[static_cast<size_t>(i)].id;
    if (id < n_tokens()) {
      out.push_back(id);
      continue;
    }
    // A piece that is no token: its bytes one by one.
    for (const char c : alphabet_to_bytes(extra_symbols_[static_cast<size_t>(id - n_tokens())])) {
      const int32_t byte = byte_symbol_[static_cast<uint8_t>(c)];
      if (byte < n_tokens()) out.push_back(byte);
    }
  }
}

void BpeTokenizer::encode_text(std::string_view text, bool, std::vector<int32_t>& out) const {
  Scratch scratch;
  for (const std::string_view word : pre_.split(text)) encode_word(word, scratch, out);
}

std::string BpeTokenizer::token_bytes(int32_t token) const {
  return alphabet_to_bytes(vocab_.tokens[static_cast<size_t>(token)]);
}

}  // namespace quern::text
