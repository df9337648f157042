// The 16 code values of IQ4_NL and IQ4_XS: a non-linear 8-bit grid, denser around zero.
// Source: GGUF specification, type 20.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace quern::quant {

inline constexpr int8_t kIq4Codebook[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
/// The same plus 128, for code that wants unsigned bytes.
alignas(16) inline constexpr uint8_t kIq4CodebookBiased[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                                               129, 141, 153, 166, 181, 197, 217, 241};

/// The code whose value is `level`, which must be one of them.
inline int iq4_code(int level) {
  int code = 0;
  while (kIq4Codebook[code] != level) ++code;
  return code;
}

/// The value nearest to v is entry floor(2 * v) + 256 for v of [-128, 127.5]: halfway between two values, where
/// the nearest changes, 2 * v is whole.
inline constexpr std::array<float, 512> kIq4Nearest = [] {
  std::array<float, 512> out{};
  int code = 0;
  for (int i = 0; i < 512; ++i) {
    while (code < 15 && i - 256 >= kIq4Codebook[code] + kIq4Codebook[code + 1]) ++code;
    out[static_cast<size_t>(i)] = kIq4Codebook[code];
  }
  return out;
}();

}  // namespace quern::quant
