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
//       // Only where the codes of 32 elements have work in common: called before all codes<J, ..>().
//       template <size_t J> void begin();
//       // Byte b of lane r is the code (0..255) of row r, element 32J + 4T + b.
//       template <size_t J, size_t T> VU8 codes() const;
//       // Groups of 256 elements: of elements 32J + 16H.. (H = 0 where kSub is 32), times a number for the whole
//       group. VF32 d() const; template <size_t J, size_t H> VI32 sub_scale() const; VF32 dmin() const; // these two
//       only where kHasMin template <size_t J, size_t H> VI32 sub_min() const;
//       // Only where kMaxWeightedCode (the largest) is given: sub_scale * code, which must fit a byte.
//       template <size_t J, size_t T> VU8 weighted_codes() const;
//     };
//   };
// Groups of fewer elements (32, 64 or 128), and those with `static constexpr bool kFloatScales = true`, have floats
// instead: `template <size_t J, size_t H> VF32 scale() const` and, where kHasMin, which goes with kSub = 32, `template
// <size_t J, size_t H> VF32 min() const`.
// Where every 32 or 64 elements of such a group lie alike, `kAlike` says how many, J counts the 32s within them only,
// and `void next()` in Group goes on to the next ones: kernels loop over them, which keeps these small. The weight is
// scale * (code - bias) - min with scale = d * sub_scale and min = dmin * sub_min, in float32 and in this order bit for
// bit what the scalar decode() gives. Sub-scales have at most 8 bits, sub-minima at most 6, unsigned. (Formats with a
// codebook that is not one of whole numbers, Codebook4bit, have whole numbers near it in their panels.) A panel is read
// once, front to back, at the memory's speed, which takes loads in the order of the addresses: where the order of the
// block is another one, `kOrder` lists the dwords of the body as they are needed.
//
// Float formats have kFloat = true. F32, F16 and BF16: kGroup = 1 and `static VF32 load(const uint8_t* group)`. Those
// with scales and elements of a byte: kGroup = 128 elements and a head of 4 bytes, the scale; in a group the kLanes
// scales, `static float head(const uint8_t* block)`, come first, then kLanes bytes for every element, which `static
// VF32 load(const uint8_t* elements)` makes floats of. The weight is the float times the scale.

#if defined(QUERN_QUANT_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_PANEL_INL_H_
#undef QUERN_QUANT_PANEL_INL_H_
#else
#define QUERN_QUANT_PANEL_INL_H_
#endif

#include <array>
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
using DU16 = hn::Repartition<uint16_t, DI32>;
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
HWY_INLINE VI32 byte_of(VU32 v) {
  const VU32 shifted = kByte == 0 ? v : hn::ShiftRight<8 * kByte>(v);
  return hn::BitCast(DI32(), hn::And(shifted, hn::Set(DU32(), 0xFF)));
}

/// Byte i of each dword, as a signed number.
template <int kByte>
HWY_INLINE VI32 signed_byte_of(VU32 v) {
  return hn::ShiftRight<24>(hn::BitCast(DI32(), hn::ShiftLeft<24 - 8 * kByte>(v)));
}

/// (v >> kShift) & mask in every byte; kShift + the mask's width must be <= 8.
template <int kShift>
HWY_INLINE VU8 bits_of(VU32 v, uint8_t mask) {
  const VU32 shifted = kShift == 0 ? v : hn::ShiftRight<kShift>(v);
  return hn::And(hn::BitCast(DU8(), shifted), hn::Set(DU8(), mask));
}

/// The 4 dwords from byte `offset` on of four rows to out[t * kLanes + r].
HWY_INLINE void transpose_4x4(const uint8_t* const* rows, size_t offset, uint8_t* out) {
  const hn::FixedTag<uint32_t, 4> d;
  const auto load = [&](size_t r)
                        HWY_ATTR { return hn::LoadU(d, reinterpret_cast<const uint32_t*>(rows[r] + offset)); };
  const auto a = load(0), b = load(1), c = load(2), e = load(3);
  const auto ab_low = hn::InterleaveLower(d, a, b), ab_high = hn::InterleaveUpper(d, a, b);
  const auto ce_low = hn::InterleaveLower(d, c, e), ce_high = hn::InterleaveUpper(d, c, e);
  auto* to = reinterpret_cast<uint32_t*>(out);
  hn::StoreU(hn::ConcatLowerLower(d, ce_low, ab_low), d, to);
  hn::StoreU(hn::ConcatUpperUpper(d, ce_low, ab_low), d, to + kLanes);
  hn::StoreU(hn::ConcatLowerLower(d, ce_high, ab_high), d, to + 2 * kLanes);
  hn::StoreU(hn::ConcatUpperUpper(d, ce_high, ab_high), d, to + 3 * kLanes);
}

/// The n dwords from byte `offset` on of every row to out[t * kLanes + r]. Four rows at a time to their end: where the
/// rows are a power of two apart, their lines push each other out of the first-level cache.
HWY_INLINE void transpose_dwords(const uint8_t* const (&rows)[kLanes], size_t offset, size_t n, uint8_t* out) {
  const size_t whole = n / 4 * 4;
  for (size_t r = 0; r < kLanes; r += 4) {
    for (size_t t = 0; t < whole; t += 4) transpose_4x4(rows + r, offset + 4 * t, out + 4 * (t * kLanes + r));
  }
  for (size_t t = whole; t < n; ++t) {
    for (size_t r = 0; r < kLanes; ++r) std::memcpy(out + 4 * (t * kLanes + r), rows[r] + offset + 4 * t, 4);
  }
}

/// Whether a quantized format's scales are floats, rather than integers times a float for the whole group.
template <class Panel>
constexpr bool has_float_scales() {
  if constexpr (requires { Panel::kFloatScales; }) {
    return Panel::kFloatScales;
  } else {
    return Panel::kGroup < 256;
  }
}

/// How many elements from the first one of a group on have code of their own in the kernels.
template <class Panel>
constexpr size_t alike() {
  if constexpr (requires { Panel::kAlike; }) {
    return Panel::kAlike;
  } else {
    return Panel::kGroup;
  }
}

/// Bytes of an element of a float format in a panel.
template <class Panel>
constexpr size_t element_bytes() {
  return Panel::kGroup == 1 ? Panel::kBlockBytes : (Panel::kBlockBytes - Panel::kHeadBytes) / Panel::kGroup;
}

/// The elements of a group of a float format.
template <class Panel>
HWY_INLINE const uint8_t* elements_of(const uint8_t* group) {
  return Panel::kGroup == 1 ? group : group + kLanes * Panel::kHeadBytes;
}

/// Prepares a group for the codes of elements 32J and on.
template <size_t J, class Group>
HWY_INLINE void begin_codes(Group& group) {
  if constexpr (requires { group.template begin<J>(); }) group.template begin<J>();
}

/// Some dwords of a block's body, for Panel::kOrder.
struct DwordRun {
  uint8_t first, count;
};

/// The order of a body's dwords in a group: as in the block, unless the format says otherwise.
template <class Panel>
constexpr auto dword_order() {
  if constexpr (requires { Panel::kOrder; }) {
    return Panel::kOrder;
  } else {
    return std::array{DwordRun{0, (Panel::kBlockBytes - Panel::kHeadBytes) / 4}};
  }
}

/// Packs one group: blocks[r] is the block of row r.
template <class Panel>
HWY_INLINE void pack_group(const uint8_t* const (&blocks)[kLanes], uint8_t* group) {
  constexpr size_t kBodyBytes = Panel::kBlockBytes - Panel::kHeadBytes;
  constexpr size_t kBody = Panel::kHeadOffset == 0 ? Panel::kHeadBytes : 0;
  static_assert(kBodyBytes % 4 == 0);
  static_assert(Panel::kHeadOffset == 0 || Panel::kHeadOffset == kBodyBytes);
  for (size_t r = 0; r < kLanes; ++r) {
    std::memcpy(group + r * Panel::kHeadBytes, blocks[r] + Panel::kHeadOffset, Panel::kHeadBytes);
  }
  uint8_t* out = group + kLanes * Panel::kHeadBytes;
  for (const DwordRun run : dword_order<Panel>()) {
    transpose_dwords(blocks, kBody + size_t{4} * run.first, run.count, out);
    out += size_t{4} * run.count * kLanes;
  }
}

/// Groups of a float format that make one cache line of each row.
template <class Panel>
constexpr size_t kLineGroups = 64 / Panel::kBlockBytes;

/// Packs that many groups of a float format; lines[r]: of row r.
template <class Panel>
HWY_INLINE void pack_line(const uint8_t* const (&lines)[kLanes], uint8_t* groups) {
  if constexpr (Panel::kBlockBytes == 4) {
    transpose_dwords(lines, 0, 16, groups);
  } else {
    static_assert(Panel::kBlockBytes == 2);
    HWY_ALIGN uint8_t pairs[64 * kLanes];
    transpose_dwords(lines, 0, 16, pairs);
    const hn::Rebind<uint16_t, DU32> du16;
    auto* out = reinterpret_cast<uint16_t*>(groups);
    for (size_t t = 0; t < 16; ++t, out += 2 * kLanes) {
      const VU32 pair = load_dwords(pairs, t);
      hn::StoreU(hn::TruncateTo(du16, pair), du16, out);
      hn::StoreU(hn::TruncateTo(du16, hn::ShiftRight<16>(pair)), du16, out + kLanes);
    }
  }
}

/// Packs one group of a float format with scales: bytes become element-major.
template <class Panel>
HWY_INLINE void pack_float_group(const uint8_t* const (&blocks)[kLanes], uint8_t* group) {
  static_assert(Panel::kHeadBytes == 4 && element_bytes<Panel>() == 1);
  for (size_t r = 0; r < kLanes; ++r) {
    const float head = Panel::head(blocks[r]);
    std::memcpy(group + 4 * r, &head, 4);
  }
  HWY_ALIGN uint8_t dwords[Panel::kGroup * kLanes];
  transpose_dwords(blocks, Panel::kHeadBytes, Panel::kGroup / 4, dwords);
  const hn::Rebind<uint8_t, DU32> du8;
  uint8_t* out = group + kLanes * Panel::kHeadBytes;
  for (size_t t = 0; t < Panel::kGroup / 4; ++t, out += 4 * kLanes) {
    const VU32 four = load_dwords(dwords, t);
    hn::StoreU(hn::TruncateTo(du8, four), du8, out);
    hn::StoreU(hn::TruncateTo(du8, hn::ShiftRight<8>(four)), du8, out + kLanes);
    hn::StoreU(hn::TruncateTo(du8, hn::ShiftRight<16>(four)), du8, out + 2 * kLanes);
    hn::StoreU(hn::TruncateTo(du8, hn::ShiftRight<24>(four)), du8, out + 3 * kLanes);
  }
}

/// Packs a panel: rows[r] are the blocks of row r, or nullptr for a row past the end (packed as zeros).
template <class Panel>
void pack_panel(const uint8_t* const* rows, size_t n_groups, uint8_t* panel) {
  constexpr size_t kGroupBytes = kLanes * Panel::kBlockBytes,
                   kStep = Panel::kFloat && Panel::kGroup == 1 ? kLineGroups<Panel> : 1;
  static constexpr uint8_t kZeros[kStep * Panel::kBlockBytes] = {};
  // The rows of a matrix lie one behind the other, so the next panel's are here. Reading kLanes rows side by side is
  // more than the prefetchers of the hardware follow; the second-level cache has room for a panel.
  const uint8_t* next = rows[0] + n_groups * kGroupBytes;
  for (size_t g = 0; g < n_groups;) {
    const uint8_t* blocks[kLanes];
    for (size_t r = 0; r < kLanes; ++r) blocks[r] = rows[r] ? rows[r] + g * Panel::kBlockBytes : kZeros;
    const size_t step = n_groups - g >= kStep ? kStep : 1;
    for (size_t i = 0; i < step * kGroupBytes; i += 64) __builtin_prefetch(next + g * kGroupBytes + i, 0, 2);
    uint8_t* const out = panel + g * kGroupBytes;
    if constexpr (!Panel::kFloat) {
      pack_group<Panel>(blocks, out);
    } else if constexpr (Panel::kGroup > 1) {
      pack_float_group<Panel>(blocks, out);
    } else if (step == kStep) {
      pack_line<Panel>(blocks, out);
    } else {
      pack_group<Panel>(blocks, out);
    }
    g += step;
  }
}

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
