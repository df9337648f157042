// Panels: how weights lie in memory for the CPU's matrix products, and the terms in which a format describes it.
//
// A panel is kLanes consecutive rows (kLanes = 32-bit lanes of one vector: 16, 8 or 4). Along K it is a sequence of
// groups; a group holds one block of every row, so its size is exactly that of the kLanes blocks: nothing grows. Inside
// a group first comes the "head" of every block (bytes that do not fill dwords, such as a lone half-precision scale),
// row after row, then the rest of the blocks transposed by dwords: dword t of row 0, dword t of row 1, ... So one
// vector load gives dword t of all rows, every lane accumulates its own row, and no sums across lanes are needed.
//
// A quantized format describes its group by a struct, here for a format X:
//   struct XPanel {
//     static constexpr size_t kGroup = 256;       // elements per row in a group: the block size of the format
//     static constexpr size_t kBlockBytes = 144;
//     static constexpr size_t kHeadOffset = 0, kHeadBytes = 0;  // where the head is; the body is the contiguous rest
//     static constexpr size_t kSub = 32;          // elements that share a scale: 32 or 16
//     static constexpr int kBiasLog2 = -1;        // codes carry a bias of 1 << kBiasLog2; -1: none
//     static constexpr bool kHasMin = true, kFloat = false;
//     struct Group {
//       explicit Group(const uint8_t* group);     // loads what all sub-blocks need, e.g. unpacked scales
//       // Elements 32J .. 32J+31: byte b of lane r of u[t] is the code (0..255) of row r, element 32J + 4t + b.
//       template <size_t J> void codes(VU8 (&u)[8]) const;
//       template <size_t J, size_t H> VF32 scale() const;    // of elements 32J + 16H.. (H = 0 where kSub is 32)
//       template <size_t J, size_t H> VF32 min() const;      // only where kHasMin
//     };
//   };
// The weight is scale * (code - bias) - min, in float32 and in this order bit for bit what the scalar decode() gives.
// Float formats (F32, F16, BF16) have kGroup = 1, kFloat = true and `static VF32 load(const uint8_t* group)`.

#if defined(QUERN_QUANT_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_PANEL_INL_H_
#undef QUERN_QUANT_PANEL_INL_H_
#else
#define QUERN_QUANT_PANEL_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DI32 = hn::ScalableTag<int32_t>;
using DU32 = hn::ScalableTag<uint32_t>;
using DF32 = hn::ScalableTag<float>;
using DU8 = hn::Repartition<uint8_t, DI32>;
using DI8 = hn::Repartition<int8_t, DI32>;
using VI32 = hn::Vec<DI32>;
using VU32 = hn::Vec<DU32>;
using VF32 = hn::Vec<DF32>;
using VU8 = hn::Vec<DU8>;

/// Rows of a panel.
constexpr size_t kLanes = HWY_LANES(int32_t);

/// Dword t of every row, where `body` is the transposed part of a group.
HWY_INLINE VU32 load_dwords(const uint8_t* body, size_t t) {
  return hn::LoadU(DU32(), reinterpret_cast<const uint32_t*>(body) + t * kLanes);
}

/// kLanes consecutive half-precision numbers.
HWY_INLINE VF32 load_f16(const uint8_t* p) {
  const hn::Rebind<hwy::float16_t, DF32> df16;
  const hn::Rebind<uint16_t, DF32> du16;
  return hn::PromoteTo(DF32(), hn::BitCast(df16, hn::LoadU(du16, reinterpret_cast<const uint16_t*>(p))));
}

/// The half-precision number in the low (kHigh = 0) or high (1) half of each dword.
template <int kHigh>
HWY_INLINE VF32 f16_of(VU32 v) {
  const hn::Rebind<hwy::float16_t, DF32> df16;
  const hn::Rebind<uint16_t, DF32> du16;
  if constexpr (kHigh) {
    return hn::PromoteTo(DF32(), hn::BitCast(df16, hn::TruncateTo(du16, hn::ShiftRight<16>(v))));
  } else {
    return hn::PromoteTo(DF32(), hn::BitCast(df16, hn::TruncateTo(du16, v)));
  }
}

/// Byte i of each dword, as an unsigned number.
template <int kByte>
HWY_INLINE VF32 byte_of(VU32 v) {
  const VU32 shifted = kByte == 0 ? v : hn::ShiftRight<8 * kByte>(v);
  return hn::ConvertTo(DF32(), hn::BitCast(DI32(), hn::And(shifted, hn::Set(DU32(), 0xFF))));
}

/// Byte i of each dword, as a signed number.
template <int kByte>
HWY_INLINE VF32 signed_byte_of(VU32 v) {
  const VI32 top = hn::BitCast(DI32(), hn::ShiftLeft<24 - 8 * kByte>(v));
  return hn::ConvertTo(DF32(), hn::ShiftRight<24>(top));
}

/// (v >> kShift) & mask in every byte; kShift + the mask's width must be <= 8.
template <int kShift>
HWY_INLINE VU8 bits_of(VU32 v, uint8_t mask) {
  const VU32 shifted = kShift == 0 ? v : hn::ShiftRight<kShift>(v);
  return hn::And(hn::BitCast(DU8(), shifted), hn::Set(DU8(), mask));
}

/// Packs one group of a panel: blocks[r] is the block of row r, or nullptr for a row past the end (packed as zeros).
template <class Panel>
void pack_group(const uint8_t* const* blocks, uint8_t* group) {
  constexpr size_t kBodyBytes = Panel::kBlockBytes - Panel::kHeadBytes;
  constexpr size_t kBodyOffset = Panel::kHeadOffset == 0 ? Panel::kHeadBytes : 0;
  static_assert(kBodyBytes % 4 == 0);
  static_assert(Panel::kHeadOffset == 0 || Panel::kHeadOffset == kBodyBytes);
  uint8_t* body = group + kLanes * Panel::kHeadBytes;
  for (size_t r = 0; r < kLanes; ++r) {
    if (blocks[r] == nullptr) {
      std::memset(group + r * Panel::kHeadBytes, 0, Panel::kHeadBytes);
      for (size_t t = 0; t < kBodyBytes / 4; ++t) std::memset(body + (t * kLanes + r) * 4, 0, 4);
      continue;
    }
    std::memcpy(group + r * Panel::kHeadBytes, blocks[r] + Panel::kHeadOffset, Panel::kHeadBytes);
    for (size_t t = 0; t < kBodyBytes / 4; ++t) {
      std::memcpy(body + (t * kLanes + r) * 4, blocks[r] + kBodyOffset + 4 * t, 4);
    }
  }
}

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
