// SentencePiece's precompiled normalizer: strings to replace, as a double array of 32-bit units, and their
// replacements.
//
// Layout: the array's size in bytes (u32, little-endian), the array, then the replacements one after another, each
// ended by NUL. The walk starts at unit 0 and goes from unit u over byte b to unit v = u ^ offset(u) ^ b if v's label
// is b. Bits of a unit: 0-7 label, 8 a string ends here, 9 the offset is in steps of 256, 10-30 offset; a string's end
// has its value at unit v ^ offset(v), bit 31 set: where in the replacements its own begins. No two units share v ^
// offset(v), so that labels alone tell children apart.
//
// Sources: Kudo & Richardson, "SentencePiece" (2018); S. Yata's darts-clone for the units; Aoe, "An efficient digital
// search algorithm by using a double-array structure" (1989).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"

namespace quern::text {

class Charsmap {
 public:
  /// Replaces nothing.
  Charsmap() = default;
  /// An empty blob replaces nothing. Sizes that do not fit, values that point nowhere and replacements without an end
  /// are errors.
  static Result<Charsmap> parse(std::string_view blob, std::string_view where);

  struct Match {
    size_t size = 0;  ///< bytes of the text that are replaced; 0: none
    std::string_view replacement;
  };
  /// The longest string at the front of `text`, of at most 256 bytes, that has a replacement.
  Match longest(std::string_view text) const;

 private:
  std::vector<uint32_t> units_;
  std::string replacements_;
};

}  // namespace quern::text
