// TokenTrie: all tokens that begin at a place of a text, found in one walk over its bytes.
//
// The nodes lie in breadth-first order, so that the children of a node are neighbours, sorted by their byte.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace quern::text {

class TokenTrie {
 public:
  struct Entry {
    std::string_view text;  ///< not empty; needed while the trie is built only
    int32_t token;
  };
  static constexpr uint32_t kRoot = 0;
  static constexpr uint32_t kNone = 0xFFFFFFFF;
  /// More bytes of tokens than this are more nodes than a trie can number.
  static constexpr size_t kMaxBytes = size_t{1} << 31;

  TokenTrie() : TokenTrie(std::vector<Entry>{}) {}
  /// Of equal texts one counts.
  explicit TokenTrie(std::vector<Entry> entries);

  /// The node that a byte leads to, or kNone.
  uint32_t step(uint32_t node, char byte) const {
    const auto b = static_cast<uint8_t>(byte);
    if (node == kRoot) return root_[b];
    const uint32_t end = first_child_[node + 1];
    for (uint32_t child = first_child_[node]; child < end; ++child) {
      if (bytes_[child] >= b) return bytes_[child] == b ? child : kNone;
    }
    return kNone;
  }
  /// The token that ends at a node, or -1.
  int32_t token(uint32_t node) const { return tokens_[node]; }

  struct Match {
    int32_t token = -1;  ///< -1: no match
    size_t size = 0;
  };
  /// The longest token that `text` begins with.
  Match longest(std::string_view text) const;

 private:
  std::array<uint32_t, 256> root_{};
  std::vector<uint32_t> first_child_;  // by node, and one past the last
  std::vector<uint8_t> bytes_;         // by node: the byte that leads to it
  std::vector<int32_t> tokens_;        // by node
};

}  // namespace quern::text
