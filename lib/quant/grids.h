// The codebooks ("grids") of the IQ1, IQ2 and IQ3 formats: sets of points of 8 or 4 coordinates, of which a format
// stores the number. A coordinate is one of at most 8 values, which the format names, and is kept as a digit: the
// value's place among them.
//
// No formula gives the points; grids/*.inc lists them, sorted and packed into 16 bits. tests/data/quant/make_grids.py
// makes those lists. Here every point is spread over a dword, which is how it is looked up:
//   8 coordinates: digit i in the low nibble of byte i, digit i + 4 in its high nibble (i = 0 to 3)
//   4 coordinates: digit i in byte i
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace quern::quant {

template <size_t kCount>
using Grid = std::array<uint32_t, kCount>;

namespace grid_codes {

inline constexpr uint16_t kIq1[] = {
#include "lib/quant/grids/iq1.inc"
};
inline constexpr uint16_t kIq2Xxs[] = {
#include "lib/quant/grids/iq2_xxs.inc"
};
inline constexpr uint16_t kIq2Xs[] = {
#include "lib/quant/grids/iq2_xs.inc"
};
inline constexpr uint16_t kIq2S[] = {
#include "lib/quant/grids/iq2_s.inc"
};
inline constexpr uint16_t kIq3Xxs[] = {
#include "lib/quant/grids/iq3_xxs.inc"
};
inline constexpr uint16_t kIq3S[] = {
#include "lib/quant/grids/iq3_s.inc"
};

}  // namespace grid_codes

/// Points of 8 coordinates, from codes of 2 bits per digit.
template <size_t kCount>
constexpr Grid<kCount> grid_of_8(const uint16_t (&codes)[kCount]) {
  Grid<kCount> grid{};
  for (size_t n = 0; n < kCount; ++n) {
    for (uint32_t i = 0; i < 8; ++i) grid[n] |= (codes[n] >> (2 * i) & 3u) << (i % 4 * 8 + i / 4 * 4);
  }
  return grid;
}

/// Points of 4 coordinates, from codes of 3 bits per digit.
template <size_t kCount>
constexpr Grid<kCount> grid_of_4(const uint16_t (&codes)[kCount]) {
  Grid<kCount> grid{};
  for (size_t n = 0; n < kCount; ++n) {
    for (uint32_t i = 0; i < 4; ++i) grid[n] |= (codes[n] >> (3 * i) & 7u) << (8 * i);
  }
  return grid;
}

inline constexpr Grid<2048> kGridIq1 = grid_of_8(grid_codes::kIq1);
inline constexpr Grid<256> kGridIq2Xxs = grid_of_8(grid_codes::kIq2Xxs);
inline constexpr Grid<512> kGridIq2Xs = grid_of_8(grid_codes::kIq2Xs);
inline constexpr Grid<1024> kGridIq2S = grid_of_8(grid_codes::kIq2S);
inline constexpr Grid<256> kGridIq3Xxs = grid_of_4(grid_codes::kIq3Xxs);
inline constexpr Grid<512> kGridIq3S = grid_of_4(grid_codes::kIq3S);

/// The digit of coordinate i of a point of 8.
constexpr int digit_of_8(uint32_t point, int i) { return static_cast<int>(point >> (i % 4 * 8 + i / 4 * 4) & 15); }
/// The same of a point of 4.
constexpr int digit_of_4(uint32_t point, int i) { return static_cast<int>(point >> (8 * i) & 15); }

/// The values of the digits.
inline constexpr int8_t kIq1Values[3] = {-1, 0, 1};
inline constexpr int8_t kIq2Values[3] = {8, 25, 43};
inline constexpr int8_t kIq3XxsValues[8] = {4, 12, 20, 28, 36, 44, 52, 62};
inline constexpr int8_t kIq3SValues[8] = {1, 3, 5, 7, 9, 11, 13, 15};

/// Eight sign bits, of which IQ2_XXS, IQ2_XS and IQ3_XXS store seven: the number of minus signs is even.
constexpr uint32_t even_signs(uint32_t seven) {
  uint32_t parity = seven ^ seven >> 4;
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return seven | (parity & 1) << 7;
}

/// `value`, negative where bit i of `signs` is set.
constexpr int with_sign(int value, uint32_t signs, int i) { return (signs >> i & 1) != 0 ? -value : value; }

}  // namespace quern::quant
