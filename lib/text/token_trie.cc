#include "lib/text/token_trie.h"

#include <algorithm>

namespace quern::text {

// A node is a range of the sorted entries that share their first `depth` bytes.
TokenTrie::TokenTrie(std::vector<Entry> entries) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.text < b.text; });
  struct Range {
    size_t begin, end, depth;
  };
  std::vector<Range> nodes{{0, entries.size(), 0}};
  bytes_.push_back(0);
  for (size_t node = 0; node < nodes.size(); ++node) {
    Range range = nodes[node];
    first_child_.push_back(static_cast<uint32_t>(nodes.size()));
    tokens_.push_back(-1);
    while (range.begin < range.end && entries[range.begin].text.size() == range.depth)
      tokens_.back() = entries[range.begin++].token;
    while (range.begin < range.end) {
      const char byte = entries[range.begin].text[range.depth];
      const auto begin = entries.begin() + static_cast<std::ptrdiff_t>(range.begin);
      const auto last = entries.begin() + static_cast<std::ptrdiff_t>(range.end);
      const auto end = std::partition_point(begin, last, [&](const Entry& e) { return e.text[range.depth] == byte; });
      const auto stop = static_cast<size_t>(end - entries.begin());
      nodes.push_back({range.begin, stop, range.depth + 1});
      bytes_.push_back(static_cast<uint8_t>(byte));
      range.begin = stop;
    }
  }
  first_child_.push_back(static_cast<uint32_t>(nodes.size()));
  root_.fill(kNone);
  for (uint32_t child = first_child_[0]; child < first_child_[1]; ++child) root_[bytes_[child]] = child;
}

TokenTrie::Match TokenTrie::longest(std::string_view text) const {
  Match best;
  uint32_t node = kRoot;
  for (size_t i = 0; i < text.size(); ++i) {
    node = step(node, text[i]);
    if (node == kNone) break;
    if (tokens_[node] >= 0) best = {tokens_[node], i + 1};
  }
  return best;
}

}  // namespace quern::text
