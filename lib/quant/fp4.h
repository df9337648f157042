// The 16 values of 4-bit floats (E2M1), doubled so that they are integers. Code 8 is +0 rather than -0, as in the
// reference tools.
// Source: OCP Microscaling Formats (MX) Specification v1.0.
#pragma once

#include <cstdint>

namespace quern::quant {

inline constexpr int8_t kFp4Times2[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
/// The same plus 16, for code that wants unsigned bytes.
alignas(16) inline constexpr uint8_t kFp4Times2Biased[16] = {16, 17, 18, 19, 20, 22, 24, 28,
                                                             16, 15, 14, 13, 12, 10, 8,  4};

/// The code of a doubled value, which must be one of them.
inline int fp4_code(int level) {
  int code = 0;
  while (kFp4Times2[code] != (level < 0 ? -level : level)) ++code;
  return level < 0 ? code + 8 : code;
}

}  // namespace quern::quant
