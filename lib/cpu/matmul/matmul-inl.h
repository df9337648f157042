// The matrix product, written once over the description of a format's panel (lib/quant/panel-inl.h).
//
// Weights in blocks of 32, 64 or 128: for every 32 elements of K, every row r and column c, with the two halves of 16
// that the activations are quantized in:
//   idot_h = sum of (code - bias) * activation code    exact, in int32
//   acc    = acc + (idot_0 * d_0[c] + idot_1 * d_1[c]) * scale[r]
//   acc    = acc + (idot_h * d_h[c]) * scale_h[r]      instead, where halves have scales of their own
//   acc    = acc + min[r] * dsum_h[c]                  where the format has minima
// Weights in blocks of 256, unless these have float scales: all 256 elements are summed in int32, exactly,
//   sum    = sum of 2^shift[c] * sub_scale[r] * idot   over the sub-blocks: at most 2^30 for every format
//   acc    = acc + sum * (d[r] * d[c]), and the same with the sub-minima
// 8-bit floats with scales: the 128 products of a group in float32, then
//   acc    = acc + sum * scale[r]
// Columns never meet, and the order along K is fixed, so a result does not depend on the width of the tile or on who
// computes it.
//
// kVnni, everywhere: see lib/cpu/dot-inl.h.

#if defined(QUERN_CPU_MATMUL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_CPU_MATMUL_INL_H_
#undef QUERN_CPU_MATMUL_INL_H_
#else
#define QUERN_CPU_MATMUL_INL_H_
#endif

#include "lib/cpu/dot-inl.h"
#include "lib/cpu/matmul/panel_kernels.h"
#include "lib/quant/panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace qn = quern::quant::HWY_NAMESPACE;
using qn::DF32;
using qn::DI32;
using qn::VF32;
using qn::VI32;
using qn::VU8;

// A tile's 8 code vectors and its accumulators stay in registers: 32 of them on AVX-512 and Arm, 16 on AVX2. Older x86
// gets narrow tiles, which keeps its share of the library small.
#if HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64
constexpr size_t kMaxWidth = 8;
#elif HWY_TARGET <= HWY_AVX2
constexpr size_t kMaxWidth = 4;
#elif HWY_TARGET <= HWY_SSE4
constexpr size_t kMaxWidth = 2;
#else
constexpr size_t kMaxWidth = 1;
#endif

/// The start of a dot product: minus the codes' bias times the sum of the activations, so that the codes may stay
/// unsigned.
template <class Panel>
HWY_INLINE VI32 bias_term(int32_t nsum) {
  if constexpr (Panel::kBiasLog2 >= 0) {
    return hn::ShiftLeft<Panel::kBiasLog2>(hn::Set(DI32(), nsum));
  } else {
    return hn::Zero(DI32());
  }
}

template <class Panel>
constexpr ActivationKind activation_kind() {
  if constexpr (Panel::kFloat) return ActivationKind::f32;
  return qn::has_float_scales<Panel>() ? ActivationKind::per16 : ActivationKind::per256;
}

template <class Panel>
constexpr bool has_small_codes() {
  return Panel::kBiasLog2 < 7;  // only a bias of 128 goes with codes of 8 bits
}

/// dot[c] += the products of code vectors kT .. kEnd - 1 of 32 elements; q: their activations. Column by column under
/// each vector of codes, so that the chains of different columns overlap and codes need one register.
template <class Panel, bool kVnni, size_t kWidth, size_t kJ, size_t kT, size_t kEnd>
HWY_INLINE void add_products(const typename Panel::Group& group, const int32_t* q, VI32 (&dot)[kWidth]) {
  if constexpr (kT < kEnd) {
    const VU8 codes = group.template codes<kJ, kT>();
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA {
      dot[c] = dot4<kVnni, has_small_codes<Panel>()>(codes, q + kT * kWidth + c, dot[c]);
    });
    add_products<Panel, kVnni, kWidth, kJ, kT + 1, kEnd>(group, q, dot);
  }
}

/// The dot products of half kHalf (16 elements) of 32 elements, for all columns.
template <class Panel, bool kVnni, size_t kWidth, size_t kJ, size_t kHalf>
HWY_INLINE void dot_half(const typename Panel::Group& group, const int32_t* q, const int32_t* nsum,
                         VI32 (&dot)[kWidth]) {
  unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { dot[c] = bias_term<Panel>(nsum[kHalf * kWidth + c]); });
  add_products<Panel, kVnni, kWidth, kJ, 4 * kHalf, 4 * kHalf + 4>(group, q, dot);
}

/// Elements 32 * kJ .. of a group with float scales, for all columns of the tile.
template <class Panel, bool kVnni, size_t kWidth, size_t kJ>
HWY_INLINE void add_32(typename Panel::Group& group, const int32_t* tile, VF32 (&acc)[kWidth]) {
  const DF32 df;
  const auto* d = reinterpret_cast<const float*>(tile + Half::kScale * kWidth);
  const int32_t* nsum = tile + Half::kNegSum * kWidth;
  VI32 dot[kWidth];
  VF32 first[kWidth];
  qn::begin_codes<kJ>(group);
  dot_half<Panel, kVnni, kWidth, kJ, 0>(group, tile, nsum, dot);
  unrolled<kWidth>([&](auto c)
                       QUERN_INLINE_LAMBDA { first[c] = hn::Mul(hn::ConvertTo(df, dot[c]), hn::Set(df, d[c])); });
  dot_half<Panel, kVnni, kWidth, kJ, 1>(group, tile, nsum, dot);
  const VF32 scale = group.template scale<kJ, 0>();
  if constexpr (Panel::kSub == 16) {
    const VF32 scale1 = group.template scale<kJ, 1>();
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA {
      const VF32 second = hn::Mul(hn::ConvertTo(df, dot[c]), hn::Set(df, d[kWidth + c]));
      acc[c] = hn::MulAdd(second, scale1, hn::MulAdd(first[c], scale, acc[c]));
    });
  } else {
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA {
      acc[c] = hn::MulAdd(hn::MulAdd(hn::ConvertTo(df, dot[c]), hn::Set(df, d[kWidth + c]), first[c]), scale, acc[c]);
    });
  }
  if constexpr (Panel::kHasMin) {
    const auto* dsum = reinterpret_cast<const float*>(tile + Half::kScaledNegSum * kWidth);
    const VF32 min = group.template min<kJ, 0>();
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA {
      acc[c] = hn::MulAdd(min, hn::Set(df, dsum[c]), acc[c]);
      acc[c] = hn::MulAdd(min, hn::Set(df, dsum[kWidth + c]), acc[c]);
    });
  }
}

/// The elements of a group with float scales that have code of their own, for all columns of the tile.
template <class Panel, bool kVnni, size_t kWidth, size_t kJ = 0>
HWY_INLINE void add_32s(typename Panel::Group& group, const int32_t* tile, VF32 (&acc)[kWidth]) {
  static_assert(Panel::kSub == 32 || !Panel::kHasMin);
  if constexpr (kJ < qn::alike<Panel>() / 32) {
    add_32<Panel, kVnni, kWidth, kJ>(group, tile + kJ * Half::kDwords * kWidth, acc);
    add_32s<Panel, kVnni, kWidth, kJ + 1>(group, tile, acc);
  }
}

/// A group with float scales, for all columns of the tile.
template <class Panel, bool kVnni, size_t kWidth>
HWY_INLINE void add_group_of_32s(typename Panel::Group& group, const int32_t* tile, VF32 (&acc)[kWidth]) {
  constexpr size_t kAlike = qn::alike<Panel>();
  if constexpr (kAlike == Panel::kGroup) {
    add_32s<Panel, kVnni, kWidth>(group, tile, acc);
  } else {
    for (size_t e = 0; e < Panel::kGroup; e += kAlike, tile += kAlike / 32 * Half::kDwords * kWidth) {
      add_32s<Panel, kVnni, kWidth>(group, tile, acc);
      group.next();
    }
  }
}

/// Whether sub-scales go into the codes, once for all columns, rather than into the sums of every column: the same
/// integers either way.
template <class Panel, size_t kWidth>
constexpr bool weighs_codes() {
  if constexpr (requires { Panel::kMaxWeightedCode; }) return kWidth >= 3;
  return false;
}

/// dot[c] += the products of sub_scale * code, for all 32 elements of kJ.
template <class Panel, bool kVnni, size_t kWidth, size_t kJ, size_t kT = 0>
HWY_INLINE void add_weighted_products(const typename Panel::Group& group, const int32_t* q, VI32 (&dot)[kWidth]) {
  if constexpr (kT < 8) {
    const VU8 codes = group.template weighted_codes<kJ, kT>();
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA {
      dot[c] = dot4<kVnni, (Panel::kMaxWeightedCode < 128)>(codes, q + kT * kWidth + c, dot[c]);
    });
    add_weighted_products<Panel, kVnni, kWidth, kJ, kT + 1>(group, q, dot);
  }
}

/// Elements 32 * kJ .. of a group of 256, for all columns: adds 2^shift * sub_scale * idot.
template <class Panel, bool kVnni, size_t kWidth, size_t kJ>
HWY_INLINE void add_sub_block(typename Panel::Group& group, const int32_t* tile, VI32 (&sum)[kWidth]) {
  const DI32 di32;
  const int32_t* q = tile + (Super::kCodes + 8 * kJ) * kWidth;
  const int32_t* nsum = tile + (Super::kNegSum + 2 * kJ) * kWidth;
  const int32_t* shift = tile + (Super::kShift + kJ) * kWidth;
  VI32 dot[kWidth];
  qn::begin_codes<kJ>(group);
  if constexpr (weighs_codes<Panel, kWidth>()) {
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { dot[c] = hn::Zero(di32); });
    add_weighted_products<Panel, kVnni, kWidth, kJ>(group, q, dot);
  } else if constexpr (Panel::kSub == 32) {
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA {
      dot[c] = Panel::kBiasLog2 < 0 ? hn::Zero(di32) : bias_term<Panel>(nsum[c] + nsum[kWidth + c]);
    });
    add_products<Panel, kVnni, kWidth, kJ, 0, 8>(group, q, dot);
    const VI32 scale = group.template sub_scale<kJ, 0>();
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { dot[c] = hn::Mul(dot[c], scale); });
  } else {
    VI32 first[kWidth];
    dot_half<Panel, kVnni, kWidth, kJ, 0>(group, q, nsum, first);
    const VI32 scale0 = group.template sub_scale<kJ, 0>();
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { first[c] = hn::Mul(first[c], scale0); });
    dot_half<Panel, kVnni, kWidth, kJ, 1>(group, q, nsum, dot);
    const VI32 scale1 = group.template sub_scale<kJ, 1>();
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { dot[c] = hn::Add(hn::Mul(dot[c], scale1), first[c]); });
  }
  unrolled<kWidth>([&](auto c)
                       QUERN_INLINE_LAMBDA { sum[c] = hn::Add(sum[c], hn::Shl(dot[c], hn::Set(di32, shift[c]))); });
}

template <class Panel, bool kVnni, size_t kWidth, size_t kJ = 0>
HWY_INLINE void add_sub_blocks(typename Panel::Group& group, const int32_t* tile, VI32 (&sum)[kWidth]) {
  if constexpr (kJ < 8) {
    add_sub_block<Panel, kVnni, kWidth, kJ>(group, tile, sum);
    add_sub_blocks<Panel, kVnni, kWidth, kJ + 1>(group, tile, sum);
  }
}

/// Adds the products of pairs of sub-minima and pairs of sums of activations, both 16 bits wide.
template <class Panel, bool kVnni, size_t kWidth, size_t kPair = 0>
HWY_INLINE void add_minima(const typename Panel::Group& group, const int32_t* tile, VI32 (&sum)[kWidth]) {
  constexpr bool kHalves = Panel::kSub == 16;  // a pair is two halves of 32 elements, or two times 32 elements
  if constexpr (kPair < (kHalves ? 8 : 4)) {
    const VI32 first = group.template sub_min < kHalves ? kPair : 2 * kPair, 0 > ();
    const VI32 second = group.template sub_min < kHalves ? kPair : 2 * kPair + 1, kHalves ? 1 : 0 > ();
    const VI32 minima = hn::Or(first, hn::ShiftLeft<16>(second));
    const int32_t* pairs = tile + ((kHalves ? Super::kPairs16 : Super::kPairs32) + kPair) * kWidth;
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { sum[c] = dot2<kVnni>(minima, pairs + c, sum[c]); });
    add_minima<Panel, kVnni, kWidth, kPair + 1>(group, tile, sum);
  }
}

/// A group of 256 elements, for all columns of the tile.
template <class Panel, bool kVnni, size_t kWidth>
HWY_INLINE void add_group_of_256(typename Panel::Group& group, const int32_t* tile, VF32 (&acc)[kWidth]) {
  const DF32 df;
  const auto* d = reinterpret_cast<const float*>(tile + Super::kScale * kWidth);
  VI32 sum[kWidth];
  unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { sum[c] = hn::Zero(DI32()); });
  add_sub_blocks<Panel, kVnni, kWidth>(group, tile, sum);
  unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA {
    acc[c] = hn::MulAdd(hn::ConvertTo(df, sum[c]), hn::Mul(group.d(), hn::Set(df, d[c])), acc[c]);
  });
  if constexpr (Panel::kHasMin) {
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { sum[c] = hn::Zero(DI32()); });
    add_minima<Panel, kVnni, kWidth>(group, tile, sum);
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA {
      acc[c] = hn::MulAdd(hn::ConvertTo(df, sum[c]), hn::Mul(group.dmin(), hn::Set(df, d[c])), acc[c]);
    });
  }
}

template <size_t kWidth>
HWY_INLINE void store_tile(const VF32 (&acc)[kWidth], float* out, size_t out_stride, size_t n_rows) {
  const DF32 df;
  unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA {
    if (n_rows == qn::kLanes) {
      hn::StoreU(acc[c], df, out + c * out_stride);
    } else {
      hn::StoreN(acc[c], df, out + c * out_stride, n_rows);
    }
  });
}

template <class Panel, bool kVnni, size_t kWidth>
HWY_NOINLINE void multiply_quantized(const uint8_t* panel, const uint8_t* tile, size_t n_groups, float* out,
                                     size_t out_stride, size_t n_rows) {
  constexpr ActivationKind kKind = activation_kind<Panel>();
  VF32 acc[kWidth];
  unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { acc[c] = hn::Zero(DF32()); });
  for (size_t g = 0; g < n_groups; ++g) {
    typename Panel::Group group(panel);
    const auto* dwords = reinterpret_cast<const int32_t*>(tile);
    if constexpr (qn::has_float_scales<Panel>()) {
      add_group_of_32s<Panel, kVnni, kWidth>(group, dwords, acc);
    } else {
      add_group_of_256<Panel, kVnni, kWidth>(group, dwords, acc);
    }
    panel += qn::kLanes * Panel::kBlockBytes;
    tile += column_bytes(kKind, Panel::kGroup) * kWidth;
  }
  store_tile<kWidth>(acc, out, out_stride, n_rows);
}

/// sums[c] += the products of n elements of K. The even and the odd ones are summed apart, then added.
template <class Panel, size_t kWidth>
HWY_INLINE void add_elements(const uint8_t* panel, const float* x, size_t n, VF32 (&sums)[kWidth]) {
  const DF32 df;
  constexpr size_t kStep = qn::kLanes * qn::element_bytes<Panel>();
  VF32 even[kWidth], odd[kWidth];
  unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { even[c] = odd[c] = hn::Zero(df); });
  for (size_t k = 0; k + 2 <= n; k += 2, panel += 2 * kStep, x += 2 * kWidth) {
    const VF32 w0 = Panel::load(panel), w1 = Panel::load(panel + kStep);
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA {
      even[c] = hn::MulAdd(w0, hn::Set(df, x[c]), even[c]);
      odd[c] = hn::MulAdd(w1, hn::Set(df, x[kWidth + c]), odd[c]);
    });
  }
  if (n % 2 != 0) {
    const VF32 w0 = Panel::load(panel);
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { even[c] = hn::MulAdd(w0, hn::Set(df, x[c]), even[c]); });
  }
  unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { sums[c] = hn::Add(sums[c], hn::Add(even[c], odd[c])); });
}

/// Float formats. Sums of sums: the error of one long chain grows with its length.
template <class Panel, size_t kWidth>
HWY_NOINLINE void multiply_float(const uint8_t* panel, const uint8_t* tile, size_t n_groups, float* out,
                                 size_t out_stride, size_t n_rows) {
  constexpr size_t kRun = 128;
  const auto* x = reinterpret_cast<const float*>(tile);
  VF32 sums[kWidth];
  unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { sums[c] = hn::Zero(DF32()); });
  size_t k = 0;
  for (; k + kRun <= n_groups; k += kRun)
    add_elements<Panel, kWidth>(panel + k * qn::kLanes * Panel::kBlockBytes, x + k * kWidth, kRun, sums);
  if (k < n_groups)
    add_elements<Panel, kWidth>(panel + k * qn::kLanes * Panel::kBlockBytes, x + k * kWidth, n_groups - k, sums);
  store_tile<kWidth>(sums, out, out_stride, n_rows);
}

/// Float formats with scales: sums of the groups' sums times their scales.
template <class Panel, size_t kWidth>
HWY_NOINLINE void multiply_scaled_float(const uint8_t* panel, const uint8_t* tile, size_t n_groups, float* out,
                                        size_t out_stride, size_t n_rows) {
  const DF32 df;
  const auto* x = reinterpret_cast<const float*>(tile);
  VF32 sums[kWidth];
  unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { sums[c] = hn::Zero(df); });
  for (size_t g = 0; g < n_groups; ++g, panel += qn::kLanes * Panel::kBlockBytes, x += Panel::kGroup * kWidth) {
    VF32 part[kWidth];
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { part[c] = hn::Zero(df); });
    add_elements<Panel, kWidth>(qn::elements_of<Panel>(panel), x, Panel::kGroup, part);
    const VF32 scale = hn::LoadU(df, reinterpret_cast<const float*>(panel));
    unrolled<kWidth>([&](auto c) QUERN_INLINE_LAMBDA { sums[c] = hn::MulAdd(part[c], scale, sums[c]); });
  }
  store_tile<kWidth>(sums, out, out_stride, n_rows);
}

template <class Panel, bool kVnni, size_t kWidth>
constexpr PanelTileFn tile_kernel() {
  if constexpr (kWidth > kMaxWidth) {
    return nullptr;
  } else if constexpr (Panel::kFloat && Panel::kGroup > 1) {
    return &multiply_scaled_float<Panel, kWidth>;
  } else if constexpr (Panel::kFloat) {
    return &multiply_float<Panel, kWidth>;
  } else {
    return &multiply_quantized<Panel, kVnni, kWidth>;
  }
}

template <class Panel, bool kVnni>
constexpr PanelKernels make_kernels(const PanelKernels* portable) {
  return {qn::kLanes,
          Panel::kGroup,
          qn::kLanes * Panel::kBlockBytes,
          activation_kind<Panel>(),
          kMaxWidth,
          &qn::pack_panel<Panel>,
          {nullptr, tile_kernel<Panel, kVnni, 1>(), tile_kernel<Panel, kVnni, 2>(), tile_kernel<Panel, kVnni, 3>(),
           tile_kernel<Panel, kVnni, 4>(), nullptr, nullptr, nullptr, tile_kernel<Panel, kVnni, 8>()},
          portable};
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUERN_CPU_MATMUL_INL_H_
