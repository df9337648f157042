// Pieces of panel code that the formats with grids share (grids.h): finding points by their numbers, signs.

#if defined(QUERN_QUANT_PANEL_GRID_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_PANEL_GRID_INL_H_
#undef QUERN_QUANT_PANEL_GRID_INL_H_
#else
#define QUERN_QUANT_PANEL_GRID_INL_H_
#endif

#include "lib/quant/grids.h"
#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

/// The points of a grid whose numbers are byte kByte of `low` plus 256 times byte kByte of `high`.
template <int kByte, size_t kCount>
HWY_INLINE VU32 find_point(const Grid<kCount>& grid, VU32 low, VU32 high) {
  VU32 number = hn::BitCast(DU32(), byte_of<kByte>(low));
  if constexpr (kCount > 256) {
    number = hn::Or(number, moved_dword_bits<8 * kByte, 8>(high, (kCount - 1) & 0xFF00));
  }
  return hn::GatherIndex(DU32(), grid.data(), hn::BitCast(DI32(), number));
}

/// 32 elements of every row as four points of 8 coordinates.
template <size_t kCount>
class PointsOf8 {
 public:
  /// Point l is number (byte l of `low`) + 256 * (byte l of `high`); bits of `high` beyond kCount do not matter.
  HWY_INLINE void find(const Grid<kCount>& grid, VU32 low, VU32 high) {
    points_[0] = find_point<0>(grid, low, high);
    points_[1] = find_point<1>(grid, low, high);
    points_[2] = find_point<2>(grid, low, high);
    points_[3] = find_point<3>(grid, low, high);
  }
  /// The digits of elements 4T .. 4T+3.
  template <size_t T>
  HWY_INLINE VU8 digits() const {
    return bits_of<T % 2 * 4>(points_[T / 2], 0x0F);
  }

 private:
  VU32 points_[4];
};

/// 32 elements of every row as eight points of 4 coordinates.
template <size_t kCount>
class PointsOf4 {
 public:
  /// Points 4 * kPart .. , numbered as in PointsOf8.
  template <size_t kPart>
  HWY_INLINE void find(const Grid<kCount>& grid, VU32 low, VU32 high) {
    points_[4 * kPart] = find_point<0>(grid, low, high);
    points_[4 * kPart + 1] = find_point<1>(grid, low, high);
    points_[4 * kPart + 2] = find_point<2>(grid, low, high);
    points_[4 * kPart + 3] = find_point<3>(grid, low, high);
  }
  /// The digits of elements 4T .. 4T+3.
  template <size_t T>
  HWY_INLINE VU8 digits() const {
    return hn::BitCast(DU8(), points_[T]);
  }

 private:
  VU32 points_[8];
};

/// For signed_codes(): bias + value for each digit, then at 8 and up bias - value.
template <size_t kDigits>
constexpr std::array<uint8_t, 16> signed_code_table(const int8_t (&values)[kDigits], int bias) {
  std::array<uint8_t, 16> table{};
  for (size_t digit = 0; digit < kDigits; ++digit) {
    table[digit] = static_cast<uint8_t>(bias + values[digit]);
    table[digit + 8] = static_cast<uint8_t>(bias - values[digit]);
  }
  return table;
}

/// Vector T of the codes of 32 elements from its digits; `signs`: a bit per element, set for negative ones.
template <size_t T>
HWY_INLINE VU8 signed_codes(VU8 digits, VU32 signs, const std::array<uint8_t, 16>& table) {
  return hn::TableLookupBytes(hn::LoadDup128(DU8(), table.data()), with_flags<T>(digits, signs, 8));
}

/// even_signs() of every byte; bit 7 of each is to be clear.
HWY_INLINE VU32 even_signs_of_bytes(VU32 seven) {
  alignas(16) static constexpr uint8_t kParity[16] = {0,    0x80, 0x80, 0,    0x80, 0,    0,    0x80,
                                                      0x80, 0,    0,    0x80, 0,    0x80, 0x80, 0};  // of 4 bits
  const VU8 table = hn::LoadDup128(DU8(), kParity);
  const VU8 low = hn::TableLookupBytes(table, bits_of<0>(seven, 0x0F));
  const VU8 high = hn::TableLookupBytes(table, bits_of<4>(seven, 0x07));
  return hn::Or(seven, hn::BitCast(DU32(), hn::Xor(low, high)));
}

/// The 32 signs in the low 28 bits of a dword: 7 bits for each 8 elements.
HWY_INLINE VU32 signs_of_28_bits(VU32 v) { return even_signs_of_bytes(spread_dword_bits<0, 7, 0x7F>(v)); }

/// 16 + 8 * (coordinate + delta) of IQ1_S and IQ1_M; `delta`: 8 in every byte where it is -1/8, else 0.
HWY_INLINE VU8 iq1_codes(VU8 digits, VU32 delta) {
  alignas(16) static constexpr uint8_t kCodes[16] = {9, 17, 25, 0, 0, 0, 0, 0, 7, 15, 23};
  return hn::TableLookupBytes(hn::LoadDup128(DU8(), kCodes), hn::Or(digits, hn::BitCast(DU8(), delta)));
}

/// 2s + 1 of every row, where s is the kBits-bit number at bit kAt of its dword.
template <int kAt, int kBits>
HWY_INLINE VI32 odd_scale(VU32 v) {
  const VU32 twice = moved_dword_bits<kAt, 1>(v, ((1u << kBits) - 1) << 1);
  return hn::BitCast(DI32(), hn::Or(twice, hn::Set(DU32(), 1)));
}

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
