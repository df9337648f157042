// The codebooks ("grids") of the IQ1, IQ2 and IQ3 formats: sets of points of 8 or 4 coordinates, of which a format
// stores the number. A coordinate is one of at most 8 values, which the format names, and is kept as a digit: the
// value's place among them.
//
// No formula gives the points; grids/*.inc lists them, sorted and packed into 16 bits, the code. These lists are made
// by tests/data/quant/make_grids.py. How a point is looked up is up to the machine, so it is kept in two forms:
//   the code, its two bytes in two tables
//   spread over a dword: of 8 coordinates, digit i in the low nibble of byte i and digit i + 4 in its high nibble (i =
//   0 to 3); of 4 coordinates, digit i in byte i
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "lib/quant/block.h"

namespace quern::quant {

template <size_t kCount>
struct Grid {
  std::array<uint32_t, kCount> points;  ///< spread
  alignas(64) std::array<uint8_t, kCount> low;
  alignas(64) std::array<uint8_t, kCount> high;
};

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

/// Points of kDigits coordinates with kBits bits per digit.
template <uint32_t kDigits, uint32_t kBits, size_t kCount>
constexpr Grid<kCount> make_grid(const uint16_t (&codes)[kCount]) {
  Grid<kCount> grid{};
  for (size_t n = 0; n < kCount; ++n) {
    grid.low[n] = static_cast<uint8_t>(codes[n] & 0xFF);
    grid.high[n] = static_cast<uint8_t>(codes[n] >> 8);
    for (uint32_t i = 0; i < kDigits; ++i) {
      const uint32_t digit = codes[n] >> (kBits * i) & ((1u << kBits) - 1);
      grid.points[n] |= digit << (i % 4 * 8 + i / 4 * 4);
    }
  }
  return grid;
}

inline constexpr Grid<2048> kGridIq1 = make_grid<8, 2>(grid_codes::kIq1);
inline constexpr Grid<256> kGridIq2Xxs = make_grid<8, 2>(grid_codes::kIq2Xxs);
inline constexpr Grid<512> kGridIq2Xs = make_grid<8, 2>(grid_codes::kIq2Xs);
inline constexpr Grid<1024> kGridIq2S = make_grid<8, 2>(grid_codes::kIq2S);
inline constexpr Grid<256> kGridIq3Xxs = make_grid<4, 3>(grid_codes::kIq3Xxs);
inline constexpr Grid<512> kGridIq3S = make_grid<4, 3>(grid_codes::kIq3S);

/// The points of a grid as pairs of halves, for those who look for the point nearest to something: what a half adds to
/// the distance is worked out once for all of kTable possible halves. A half's number has its digits to the base
/// kRadix, the first one lowest. Points are sorted by their upper half.
template <size_t kDims_, size_t kRadix_, size_t kCount>
struct Halves {
  static constexpr size_t kDims = kDims_, kRadix = kRadix_;
  static constexpr size_t kTable = [] {
    size_t n = 1;
    for (size_t i = 0; i < kDims / 2; ++i) n *= kRadix;
    return n;
  }();
  std::array<uint8_t, kCount> lower{};             ///< the number of each point's lower half
  std::array<uint16_t, kTable + 1> upper_begin{};  ///< upper half h: of points upper_begin[h] .. upper_begin[h + 1] - 1
};

template <size_t kDims, uint32_t kBits, size_t kRadix, size_t kCount>
constexpr Halves<kDims, kRadix, kCount> make_halves(const uint16_t (&codes)[kCount]) {
  Halves<kDims, kRadix, kCount> out{};
  size_t next = 0;
  for (size_t n = 0; n < kCount; ++n) {
    size_t half[2] = {0, 0};
    for (size_t i = kDims; i-- > 0;) {
      const size_t digit = codes[n] >> (kBits * i) & ((1u << kBits) - 1);
      half[2 * i / kDims] = half[2 * i / kDims] * kRadix + digit;
    }
    out.lower[n] = static_cast<uint8_t>(half[0]);
    for (; next <= half[1]; ++next) out.upper_begin[next] = static_cast<uint16_t>(n);
  }
  for (; next <= out.kTable; ++next) out.upper_begin[next] = static_cast<uint16_t>(kCount);
  return out;
}

inline constexpr auto kHalvesIq1 = make_halves<8, 2, 3>(grid_codes::kIq1);
inline constexpr auto kHalvesIq2Xxs = make_halves<8, 2, 3>(grid_codes::kIq2Xxs);
inline constexpr auto kHalvesIq2Xs = make_halves<8, 2, 3>(grid_codes::kIq2Xs);
inline constexpr auto kHalvesIq2S = make_halves<8, 2, 3>(grid_codes::kIq2S);
inline constexpr auto kHalvesIq3Xxs = make_halves<4, 3, 8>(grid_codes::kIq3Xxs);
inline constexpr auto kHalvesIq3S = make_halves<4, 3, 8>(grid_codes::kIq3S);

/// The values of the digits.
inline constexpr int8_t kIq1Values[3] = {-1, 0, 1};
inline constexpr int8_t kIq2Values[3] = {8, 25, 43};
inline constexpr int8_t kIq3XxsValues[8] = {4, 12, 20, 28, 36, 44, 52, 62};
inline constexpr int8_t kIq3SValues[8] = {1, 3, 5, 7, 9, 11, 13, 15};

template <size_t kCount, size_t kRadix>
constexpr GridPoints grid_points(const Grid<kCount>& grid, const int8_t (&values)[kRadix], bool even_signs) {
  return {kRadix > 3 ? 4u : 8u, static_cast<uint32_t>(kCount), grid.points.data(), values, even_signs};
}

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
