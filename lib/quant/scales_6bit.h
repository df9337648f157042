// The 6-bit scales and minima that Q4_K and Q5_K share: 8 scales and 8 minima in 12 bytes.
//
//   j < 4:   scale j = s[j] & 63                          min j = s[j + 4] & 63
//   j >= 4:  scale j = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4   min j = (s[j + 4] >> 4) | (s[j] >> 6) << 4
// Source: GGUF specification, type Q4_K.
#pragma once

#include <cstdint>

namespace quern::quant {

struct ScaleMin {
  int scale, min;  ///< 0 to 63
};

inline ScaleMin scale_min_6bit(const uint8_t* s, int j) {
  if (j < 4) return {s[j] & 63, s[j + 4] & 63};
  return {(s[j + 4] & 15) | (s[j - 4] >> 6) << 4, (s[j + 4] >> 4) | (s[j] >> 6) << 4};
}

/// The 12 bytes of 8 scales and 8 minima, 0 to 63.
inline void pack_6bit(const uint8_t* scales, const uint8_t* mins, uint8_t* s) {
  for (int j = 0; j < 4; ++j) {
    s[j] = static_cast<uint8_t>(scales[j] | scales[j + 4] >> 4 << 6);
    s[j + 4] = static_cast<uint8_t>(mins[j] | mins[j + 4] >> 4 << 6);
    s[j + 8] = static_cast<uint8_t>((scales[j + 4] & 15) | (mins[j + 4] & 15) << 4);
  }
}

}  // namespace quern::quant
