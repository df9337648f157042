// Pieces of panel code that several formats share: codes in nibble order, codebooks, bits kept apart from their codes.

#if defined(QUERN_QUANT_PANEL_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_PANEL_CODES_INL_H_
#undef QUERN_QUANT_PANEL_CODES_INL_H_
#else
#define QUERN_QUANT_PANEL_CODES_INL_H_
#endif

#include "lib/quant/panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

/// In every byte: the bits of `mask` after a shift that brings bit kFrom to bit kTo. The mask must only keep bits that
/// come from the same byte.
template <int kFrom, int kTo>
HWY_INLINE VU8 moved_bits(VU32 v, uint8_t mask) {
  if constexpr (kFrom >= kTo) {
    return bits_of<kFrom - kTo>(v, mask);
  } else {
    return hn::And(hn::BitCast(DU8(), hn::ShiftLeft<kTo - kFrom>(v)), hn::Set(DU8(), mask));
  }
}

/// The same within whole dwords.
template <int kFrom, int kTo>
HWY_INLINE VU32 moved_dword_bits(VU32 v, uint32_t mask) {
  if constexpr (kFrom == kTo) {
    return hn::And(v, hn::Set(DU32(), mask));
  } else if constexpr (kFrom > kTo) {
    return hn::And(hn::ShiftRight<kFrom - kTo>(v), hn::Set(DU32(), mask));
  } else {
    return hn::And(hn::ShiftLeft<kTo - kFrom>(v), hn::Set(DU32(), mask));
  }
}

/// Small unsigned numbers as floats.
HWY_INLINE VF32 to_float(VU32 v) { return hn::ConvertTo(DF32(), hn::BitCast(DI32(), v)); }

/// The codes of 32 elements in nibble order (element j in the low nibble of byte j, j + 16 in the high one), from the 4
/// dwords that begin with dword `first`.
HWY_INLINE void nibble_codes(const uint8_t* body, size_t first, VU8 (&u)[8]) {
  for (size_t t = 0; t < 4; ++t) {
    const VU32 v = load_dwords(body, first + t);
    u[t] = bits_of<0>(v, 0x0F);
    u[4 + t] = bits_of<4>(v, 0x0F);
  }
}

/// The same, each code replaced by its entry of a table of 16 bytes.
HWY_INLINE void nibble_codes(const uint8_t* body, size_t first, const uint8_t* table16, VU8 (&u)[8]) {
  const VU8 table = hn::LoadDup128(DU8(), table16);
  nibble_codes(body, first, u);
  for (size_t t = 0; t < 8; ++t) u[t] = hn::TableLookupBytes(table, u[t]);
}

/// Adds 16 to the code of element j (of 32) where bit j of the row's dword is set.
HWY_INLINE void add_fifth_bits(VU32 bits, VU8 (&u)[8]) {
  alignas(16) static constexpr uint8_t kRowOfByte[16] = {0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12};
  const VU8 first_byte = hn::LoadDup128(DU8(), kRowOfByte), sixteen = hn::Set(DU8(), 16);
  const VU8 low_bits = hn::BitCast(DU8(), hn::Set(DU32(), 0x08040201)),
            high_bits = hn::BitCast(DU8(), hn::Set(DU32(), 0x80402010));
  for (size_t t = 0; t < 8; t += 2) {  // byte t / 2 of the dword has the bits of elements 4t .. 4t+7
    const VU8 index = hn::Add(first_byte, hn::Set(DU8(), static_cast<uint8_t>(t / 2)));
    const VU8 byte = hn::TableLookupBytes(hn::BitCast(DU8(), bits), index);
    u[t] = hn::Or(u[t], hn::IfThenElseZero(hn::TestBit(byte, low_bits), sixteen));
    u[t + 1] = hn::Or(u[t + 1], hn::IfThenElseZero(hn::TestBit(byte, high_bits), sixteen));
  }
}

/// The scales and minima that Q4_K and Q5_K share (scales_6bit.h): sub-blocks 0-3 in the bytes of [0], 4-7 in those of
/// [1].
struct ScalesMins6bit {
  VU32 scales[2], mins[2];

  HWY_INLINE ScalesMins6bit(const uint8_t* body, size_t first) {
    const VU32 w0 = load_dwords(body, first), w1 = load_dwords(body, first + 1), w2 = load_dwords(body, first + 2);
    const VU32 six = hn::Set(DU32(), 0x3F3F3F3F);
    scales[0] = hn::And(w0, six);
    mins[0] = hn::And(w1, six);
    scales[1] = hn::Or(moved_dword_bits<0, 0>(w2, 0x0F0F0F0F), moved_dword_bits<6, 4>(w0, 0x30303030));
    mins[1] = hn::Or(moved_dword_bits<4, 0>(w2, 0x0F0F0F0F), moved_dword_bits<6, 4>(w1, 0x30303030));
  }
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
