// The 16 code values of IQ4_NL and IQ4_XS: a non-linear 8-bit grid, denser around zero.
// Source: GGUF specification, type 20.
#pragma once

#include <cstdint>

namespace quern::quant {

inline constexpr int8_t kIq4Codebook[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
/// The same plus 128, for code that wants unsigned bytes.
alignas(16) inline constexpr uint8_t kIq4CodebookBiased[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                                               129, 141, 153, 166, 181, 197, 217, 241};

}  // namespace quern::quant
