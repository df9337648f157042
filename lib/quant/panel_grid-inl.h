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

// Points of a grid are found by number, four in every row at a time: point l is number (byte l of `low`) + 256 * (byte
// l of `high`), where bits of `high` beyond the grid do not matter.
//   PointsOf8  32 elements of every row as four points of 8 coordinates: find(grid, low, high)
//   PointsOf4  32 elements of every row as eight points of 4 coordinates: find<0>(..) the first four, find<1>(..)
// Then digits<T>() are those of elements 4T .. 4T+3.
#if QUERN_PANEL_VBMI  // in registers; elsewhere by loads

/// The bytes of a table at such numbers.
template <size_t kCount>
HWY_INLINE VU8 look_up(const uint8_t* table, VU8 low, VU8 high) {
  if constexpr (kCount == 128) {
    const DU8 d;
    return VU8{_mm512_permutex2var_epi8(hn::Load(d, table).raw, low.raw, hn::Load(d, table + 64).raw)};
  } else {
    constexpr size_t kHalf = kCount / 2;
    const VU8 first = look_up<kHalf>(table, low, high), second = look_up<kHalf>(table + kHalf, low, high);
    const VU8 bit = hn::Set(DU8(), static_cast<uint8_t>(kCount == 256 ? 128 : kCount / 512));
    return hn::IfThenElse(hn::TestBit(kCount == 256 ? low : high, bit), second, first);
  }
}

/// The codes of four points in every row: point l in byte l of both vectors.
struct PointCodes {
  VU8 low, high;

  template <size_t kCount>
  HWY_INLINE void find(const Grid<kCount>& grid, VU32 number_low, VU32 number_high) {
    const VU8 n_low = hn::BitCast(DU8(), number_low), n_high = hn::BitCast(DU8(), number_high);
    low = look_up<kCount>(grid.low.data(), n_low, n_high);
    high = look_up<kCount>(grid.high.data(), n_low, n_high);
  }
};

class PointsOf8 {
 public:
  template <size_t kCount>
  HWY_INLINE void find(const Grid<kCount>& grid, VU32 low, VU32 high) {
    codes_.find(grid, low, high);
  }
  static constexpr uint8_t kMask = 3;
  /// The digits under kMask, anything in the other bits.
  template <size_t T>
  HWY_INLINE VU8 windows() const {
    return bit_windows<T / 2 * 8, 2>(hn::BitCast(DU32(), T % 2 == 0 ? codes_.low : codes_.high));
  }
  template <size_t T>
  HWY_INLINE VU8 digits() const {
    return hn::And(windows<T>(), hn::Set(DU8(), kMask));
  }

 private:
  PointCodes codes_;
};

class PointsOf4 {
 public:
  template <size_t kPart, size_t kCount>
  HWY_INLINE void find(const Grid<kCount>& grid, VU32 low, VU32 high) {
    PointCodes codes;
    codes.find(grid, low, high);
    // Two codes to a dword: bytes 0 and 1, then 2 and 3, of the dwords of both vectors.
    const DU8 d;
    const VU8 rows_01 = hn::InterleaveLower(d, codes.low, codes.high);
    const VU8 rows_23 = hn::InterleaveUpper(d, codes.low, codes.high);
    const __m512 a = hn::BitCast(DF32(), rows_01).raw, b = hn::BitCast(DF32(), rows_23).raw;
    pairs_[2 * kPart] = hn::BitCast(DU32(), VF32{_mm512_shuffle_ps(a, b, 0x88)});
    pairs_[2 * kPart + 1] = hn::BitCast(DU32(), VF32{_mm512_shuffle_ps(a, b, 0xDD)});
  }
  static constexpr uint8_t kMask = 7;
  /// The digits under kMask, anything in the other bits.
  template <size_t T>
  HWY_INLINE VU8 windows() const {
    return bit_windows<T % 2 * 16, 3>(pairs_[T / 2]);
  }

 private:
  VU32 pairs_[4];
};

#else

template <int kByte, size_t kCount>
HWY_INLINE VU32 find_point(const Grid<kCount>& grid, VU32 low, VU32 high) {
  VU32 number = hn::BitCast(DU32(), byte_of<kByte>(low));
  if constexpr (kCount > 256) {
    number = hn::Or(number, moved_dword_bits<8 * kByte, 8>(high, (kCount - 1) & 0xFF00));
  }
  return hn::GatherIndex(DU32(), grid.points.data(), hn::BitCast(DI32(), number));
}

class PointsOf8 {
 public:
  template <size_t kCount>
  HWY_INLINE void find(const Grid<kCount>& grid, VU32 low, VU32 high) {
    points_[0] = find_point<0>(grid, low, high);
    points_[1] = find_point<1>(grid, low, high);
    points_[2] = find_point<2>(grid, low, high);
    points_[3] = find_point<3>(grid, low, high);
  }
  template <size_t T>
  HWY_INLINE VU8 digits() const {
    return bits_of<T % 2 * 4>(points_[T / 2], 0x0F);
  }

 private:
  VU32 points_[4];
};

class PointsOf4 {
 public:
  template <size_t kPart, size_t kCount>
  HWY_INLINE void find(const Grid<kCount>& grid, VU32 low, VU32 high) {
    points_[4 * kPart] = find_point<0>(grid, low, high);
    points_[4 * kPart + 1] = find_point<1>(grid, low, high);
    points_[4 * kPart + 2] = find_point<2>(grid, low, high);
    points_[4 * kPart + 3] = find_point<3>(grid, low, high);
  }
  template <size_t T>
  HWY_INLINE VU8 digits() const {
    return hn::BitCast(DU8(), points_[T]);
  }

 private:
  VU32 points_[8];
};

#endif

/// For signed_codes(): bias + value for each digit, then at 8 and up bias - value. Tables of up to four digits take no
/// notice of bit 2.
template <size_t kDigits>
constexpr std::array<uint8_t, 16> signed_code_table(const int8_t (&values)[kDigits], int bias) {
  std::array<uint8_t, 16> table{};
  for (size_t i = 0; i < 16; ++i) {
    const size_t digit = i % (kDigits > 4 ? 8 : 4);
    if (digit < kDigits) table[i] = static_cast<uint8_t>(i < 8 ? bias + values[digit] : bias - values[digit]);
  }
  return table;
}

/// Vector T of the codes of 32 elements; `signs`: a bit per element, set for negative ones.
template <size_t T, class Points>
HWY_INLINE VU8 signed_codes(const Points& points, VU32 signs, const std::array<uint8_t, 16>& table) {
  const VU8 codes = hn::LoadDup128(DU8(), table.data());
#if QUERN_PANEL_VBMI
  const VU8 is_digit = hn::Set(DU8(), Points::kMask);
  const VU8 at_bit_3 = bit_windows<4 * static_cast<int>(T) - 3, 1>(signs);
  const VU8 index = hn::IfVecThenElse(is_digit, points.template windows<T>(), at_bit_3);
  return VU8{_mm512_permutexvar_epi8(index.raw, codes.raw)};  // bits 4 and 5 choose a copy of the table
#else
  return hn::TableLookupBytes(codes, with_flags<T>(points.template digits<T>(), signs, 8));
#endif
}

/// even_signs() of every byte; bit 7 of each is to be clear.
HWY_INLINE VU32 even_signs_of_bytes(VU32 seven) {
  const VU8 bytes = hn::BitCast(DU8(), seven);
  return hn::BitCast(DU32(), hn::Or(bytes, hn::ShiftLeft<7>(hn::PopulationCount(bytes))));
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
