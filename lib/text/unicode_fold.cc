#include "lib/text/unicode_fold.h"

#include <algorithm>
#include <iterator>

#include "lib/text/unicode_fold_tables.h"

namespace quern::text {
namespace {

// Hangul syllables decompose by arithmetic (Unicode 3.12): each leading consonant begins 588 of them in a row.
constexpr uint32_t kFirstSyllable = 0xAC00, kLastSyllable = 0xD7A3, kFirstConsonant = 0x1100, kSyllables = 588;

/// The range that holds a code point, or nullptr. The ranges are sorted.
template <class Range, size_t n>
const Range* find_range(const Range (&ranges)[n], uint32_t codepoint) {
  const Range* found = std::lower_bound(std::begin(ranges), std::end(ranges), codepoint,
                                        [](const Range& range, uint32_t c) { return range.last < c; });
  return found != std::end(ranges) && found->first <= codepoint ? found : nullptr;
}

}  // namespace

uint32_t lower_char(uint32_t codepoint) {
  if (codepoint < 0x80) return codepoint >= 'A' && codepoint <= 'Z' ? codepoint - 'A' + 'a' : codepoint;
  const CaseRange* range = find_range(kLower, codepoint);
  if (range == nullptr || (codepoint - range->first) % range->stride != 0) return codepoint;
  return static_cast<uint32_t>(static_cast<int32_t>(codepoint) + range->distance);
}

uint32_t base_char(uint32_t codepoint) {
  if (codepoint < 0x80) return codepoint;
  if (codepoint >= kFirstSyllable && codepoint <= kLastSyllable)
    return kFirstConsonant + (codepoint - kFirstSyllable) / kSyllables;
  const BaseRange* range = find_range(kBases, codepoint);
  return range == nullptr ? codepoint : range->base + (codepoint - range->first) * range->stride;
}

}  // namespace quern::text
