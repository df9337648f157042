// Pieces of panel code that several formats share: codes in nibble order, codebooks, bits kept apart from their codes.

#if defined(QUERN_QUANT_PANEL_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_PANEL_CODES_INL_H_
#undef QUERN_QUANT_PANEL_CODES_INL_H_
#else
#define QUERN_QUANT_PANEL_CODES_INL_H_
#endif

#include "lib/quant/panel-inl.h"

// Whether this target has AVX-512 VBMI, which moves bits and bytes about as the formats with few bits need it.
#undef QUERN_PANEL_VBMI
#define QUERN_PANEL_VBMI (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL)

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

/// Vector T (of 8) of the codes of 32 elements in nibble order (element j in the low nibble of byte j, j + 16 in the
/// high one), from the 4 dwords that begin with dword `first`.
template <size_t T>
HWY_INLINE VU8 nibble_codes(const uint8_t* body, size_t first) {
  return bits_of<T / 4 * 4>(load_dwords(body, first + T % 4), 0x0F);
}

/// The same, each code replaced by its entry of a table of 16 bytes.
template <size_t T>
HWY_INLINE VU8 table_codes(const uint8_t* body, size_t first, const uint8_t* table16) {
  return hn::TableLookupBytes(hn::LoadDup128(DU8(), table16), nibble_codes<T>(body, first));
}

/// Vector T of 32 codes, with the bits of `flag` set in that of element j where bit j of the row's dword is.
template <size_t T>
HWY_INLINE VU8 with_flags(VU8 codes, VU32 bits, uint8_t flag) {
  // Byte T / 2 of the dword has the bits of elements 4T .. 4T+3, in its low half where T is even.
  constexpr uint8_t kByte = T / 2;
  alignas(16) static constexpr uint8_t kIndex[16] = {kByte,      kByte,      kByte,      kByte,      //
                                                     kByte + 4,  kByte + 4,  kByte + 4,  kByte + 4,  //
                                                     kByte + 8,  kByte + 8,  kByte + 8,  kByte + 8,  //
                                                     kByte + 12, kByte + 12, kByte + 12, kByte + 12};
  const VU8 byte = hn::TableLookupBytes(hn::BitCast(DU8(), bits), hn::LoadDup128(DU8(), kIndex));
  const VU8 bit = hn::BitCast(DU8(), hn::Set(DU32(), T % 2 == 0 ? 0x08040201u : 0x80402010u));
  return hn::Or(codes, hn::IfThenElseZero(hn::TestBit(byte, bit), hn::Set(DU8(), flag)));
}

#if QUERN_PANEL_VBMI
/// Byte b of every dword: 8 bits from its bit kFirst + kStep * b on. Bits beyond its ends are those of other dwords.
template <int kFirst, int kStep>
HWY_INLINE VU8 bit_windows(VU32 v) {
  alignas(64) static constexpr std::array<uint8_t, 64> kFrom = [] {
    std::array<uint8_t, 64> from{};
    for (int i = 0; i < 64; ++i) from[i] = static_cast<uint8_t>((i % 8 / 4 * 32 + kFirst + i % 4 * kStep) & 63);
    return from;
  }();
  return VU8{_mm512_multishift_epi64_epi8(hn::Load(DU8(), kFrom.data()).raw, v.raw)};
}
#endif

/// The four 2-bit numbers in byte kByte of each dword, the lowest first, each in a byte.
template <size_t kByte>
HWY_INLINE VU8 spread_2_bits(VU32 v) {
#if QUERN_PANEL_VBMI
  return hn::And(bit_windows<8 * kByte, 2>(v), hn::Set(DU8(), 3));
#else
  const VU32 byte = hn::BitCast(DU32(), byte_of<kByte>(v));
  const VU32 twice = hn::Or(byte, hn::ShiftLeft<12>(byte));  // bits 0-1 and 4-5 are where they belong
  return hn::And(hn::BitCast(DU8(), hn::Or(twice, hn::ShiftLeft<6>(twice))), hn::Set(DU8(), 3));
#endif
}

/// Bytes 0 and 2 (kOdd = 0) or 1 and 3 (1) of a's dwords, then of b's.
template <uint8_t kOdd>
HWY_INLINE VU32 alternate_bytes(VU32 a, VU32 b) {
  constexpr uint8_t kNone = 0x80;
  alignas(16) static constexpr uint8_t kIndex[16] = {kOdd,      kOdd + 2,  kNone,    kNone,     kOdd + 4, kOdd + 6,
                                                     kNone,     kNone,     kOdd + 8, kOdd + 10, kNone,    kNone,
                                                     kOdd + 12, kOdd + 14, kNone,    kNone};
  const VU8 index = hn::LoadDup128(DU8(), kIndex);
  const VU32 low = hn::BitCast(DU32(), hn::TableLookupBytesOr0(hn::BitCast(DU8(), a), index));
  const VU32 high = hn::BitCast(DU32(), hn::TableLookupBytesOr0(hn::BitCast(DU8(), b), index));
  return hn::Or(low, hn::ShiftLeft<16>(high));
}

/// Four numbers of kBits bits, the first one at bit kFrom of each dword: their bits under kMask, each in a byte.
template <int kFrom, int kBits, uint32_t kMask>
HWY_INLINE VU32 spread_dword_bits(VU32 v) {
#if QUERN_PANEL_VBMI
  return hn::And(hn::BitCast(DU32(), bit_windows<kFrom, kBits>(v)), hn::Set(DU32(), kMask * 0x01010101u));
#else
  const VU32 low = hn::Or(moved_dword_bits<kFrom, 0>(v, kMask), moved_dword_bits<kFrom + kBits, 8>(v, kMask << 8));
  const VU32 high = hn::Or(moved_dword_bits<kFrom + 2 * kBits, 16>(v, kMask << 16),
                           moved_dword_bits<kFrom + 3 * kBits, 24>(v, kMask << 24));
  return hn::Or(low, high);
#endif
}

/// `flags` in every dword where bit kBit of v is set, else 0.
template <int kBit>
HWY_INLINE VU32 flags_if(VU32 v, uint32_t flags) {
  return hn::IfThenElseZero(hn::TestBit(v, hn::Set(DU32(), 1u << kBit)), hn::Set(DU32(), flags));
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
