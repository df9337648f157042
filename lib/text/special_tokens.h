// Finds special tokens written out in text: control tokens ("<|im_end|>") and user-defined ones (runs of spaces, tags).
//
// Method: the special tokens sorted by their bytes; a match at a position narrows the range of candidates byte by byte.
// Leftmost first, then longest. At most positions the first byte already rules every candidate out.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "lib/text/vocab.h"

namespace quern::text {

class SpecialTokens {
 public:
  /// Longer special tokens are refused: the worst case of a search is this many steps for each byte of the text.
  static constexpr size_t kMaxBytes = 1024;

  struct Match {
    int32_t token = -1;  ///< -1: no match
    size_t begin = 0, size = 0;
  };

  SpecialTokens() = default;
  /// Control and unknown tokens are one set, user-defined ones another. Keeps views into vocab.tokens.
  explicit SpecialTokens(const Vocab& vocab);

  /// The first match at or after `from`: among all special tokens, or among the user-defined ones only.
  Match find(std::string_view text, size_t from, bool with_control) const;

 private:
  struct Entry {
    std::string_view text;
    int32_t token;
  };
  struct Set {
    std::vector<Entry> entries;         // sorted by text
    std::array<uint32_t, 257> first{};  // entries that begin with byte b: first[b] .. first[b + 1]
    void build();
    Match at(std::string_view text, size_t begin) const;
  };
  Set all_, user_defined_;
};

}  // namespace quern::text
