// The matrix product, written once over the description of a format's panel (lib/quant/panel-inl.h).
//
// Weights in blocks of 32: for every 32 elements of K, every row r and column c, with the two halves of 16 that the
// activations are quantized in:
//   idot_h = sum of (code - bias) * activation code    exact, in int32
//   acc    = acc + (idot_0 * d_0[c] + idot_1 * d_1[c]) * scale[r]
//   acc    = acc + min[r] * dsum_h[c]                  where the format has minima
// Weights in blocks of 256: all 256 elements are summed in int32, exactly,
//   sum    = sum of 2^shift[c] * sub_scale[r] * idot   over the sub-blocks: at most 2^30 for every format
//   acc    = acc + sum * (d[r] * d[c]), and the same with the sub-minima
// Columns never meet, and the order along K is fixed, so a result does not depend on the width of the tile or on who
// computes it.
//
// Included once per variant of a target: QUERN_MATMUL_VARIANT names a namespace inside the target's, and
// QUERN_MATMUL_VNNI is 1 for the variant that may use AVX-512 VNNI on a target that does not have it (Cascade Lake is
// such a machine).

#include <utility>

#include "lib/cpu/matmul/panel_kernels.h"
#include "lib/quant/panel-inl.h"

#if !QUERN_MATMUL_VNNI
#define QUERN_MATMUL_ATTR HWY_ATTR
HWY_BEFORE_NAMESPACE();
#elif defined(HWY_TARGET_STR)
#define QUERN_MATMUL_ATTR __attribute__((target(HWY_TARGET_STR ",avx512vnni")))
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
#else
#define QUERN_MATMUL_ATTR __attribute__((target("avx512vnni")))
HWY_PUSH_ATTRIBUTES("avx512vnni")
#endif
// What a lambda needs: the target of the functions around it, and to be inlined.
#define QUERN_MATMUL_LAMBDA QUERN_MATMUL_ATTR __attribute__((always_inline))

namespace quern::cpu::HWY_NAMESPACE {
namespace QUERN_MATMUL_VARIANT {
namespace hn = hwy::HWY_NAMESPACE;
namespace qn = quern::quant::HWY_NAMESPACE;
using qn::DF32;
using qn::DI32;
using qn::DI8;
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

/// f(0), f(1) .. f(kCount - 1), with constants: arrays indexed by them live in registers.
template <size_t kCount, class F>
HWY_INLINE void unrolled(F&& f) {
  [&]<size_t... kIndex>(std::index_sequence<kIndex...>) QUERN_MATMUL_LAMBDA {
    (f(std::integral_constant<size_t, kIndex>()), ...);
  }
  (std::make_index_sequence<kCount>());
}

#define QUERN_MATMUL_ASM (QUERN_MATMUL_VNNI || (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL))

/// acc + the four products of unsigned codes and signed activation codes in each dword, exactly. kSmall: codes are
/// below 128, so that sums of two products fit 16 bits.
template <bool kSmall>
HWY_INLINE VI32 dot4(VU8 codes, const int32_t* activation, VI32 acc) {
#if QUERN_MATMUL_ASM
  // Spelled out, because compilers load and broadcast with an instruction of its own, and the decoders of Zen 4 then
  // deliver a dot product every 1.04 to 1.4 cycles instead of every 1.0.
  asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(acc.raw) : "v"(codes.raw), "m"(*activation));
  return acc;
#else
  const DI32 di32;
  const auto a = hn::BitCast(DI8(), hn::Set(di32, *activation));
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSE4
  if constexpr (kSmall) {
    const hn::Repartition<int16_t, DI32> di16;
    const auto pairs = hn::SatWidenMulPairwiseAdd(di16, codes, a);
    return hn::Add(acc, hn::WidenMulPairwiseAdd(di32, pairs, hn::Set(di16, int16_t{1})));
  }
#endif
  return hn::SumOfMulQuadAccumulate(di32, codes, a, acc);
#endif
}

/// acc + the two products of 16-bit numbers in each dword.
HWY_INLINE VI32 dot2(VI32 pairs, const int32_t* activation, VI32 acc) {
#if QUERN_MATMUL_ASM
  asm("vpdpwssd %2%{1to16%}, %1, %0" : "+v"(acc.raw) : "v"(pairs.raw), "m"(*activation));
  return acc;
#else
  const DI32 di32;
  const hn::Repartition<int16_t, DI32> di16;
  const auto a = hn::BitCast(di16, hn::Set(di32, *activation));
  return hn::Add(acc, hn::WidenMulPairwiseAdd(di32, hn::BitCast(di16, pairs), a));
#endif
}

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
  return Panel::kGroup == 256 ? ActivationKind::per256 : ActivationKind::per16;
}

template <class Panel>
constexpr bool has_small_codes() {
  return Panel::kBiasLog2 < 7;  // only a bias of 128 goes with codes of 8 bits
}

/// dot[c] += the products of code vectors kT .. kEnd - 1 of 32 elements; q: their activations. Column by column under
/// each vector of codes, so that the chains of different columns overlap and codes need one register.
template <class Panel, size_t kWidth, size_t kJ, size_t kT, size_t kEnd>
HWY_INLINE void add_products(const typename Panel::Group& group, const int32_t* q, VI32 (&dot)[kWidth]) {
  if constexpr (kT < kEnd) {
    const VU8 codes = group.template codes<kJ, kT>();
    unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA {
      dot[c] = dot4<has_small_codes<Panel>()>(codes, q + kT * kWidth + c, dot[c]);
    });
    add_products<Panel, kWidth, kJ, kT + 1, kEnd>(group, q, dot);
  }
}

/// The dot products of half kHalf (16 elements) of 32 elements, for all columns.
template <class Panel, size_t kWidth, size_t kJ, size_t kHalf>
HWY_INLINE void dot_half(const typename Panel::Group& group, const int32_t* q, const int32_t* nsum,
                         VI32 (&dot)[kWidth]) {
  unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA { dot[c] = bias_term<Panel>(nsum[kHalf * kWidth + c]); });
  add_products<Panel, kWidth, kJ, 4 * kHalf, 4 * kHalf + 4>(group, q, dot);
}

/// A group of 32 elements, for all columns of the tile.
template <class Panel, size_t kWidth>
HWY_INLINE void add_group_of_32(const typename Panel::Group& group, const int32_t* tile, VF32 (&acc)[kWidth]) {
  const DF32 df;
  const auto* d = reinterpret_cast<const float*>(tile + Half::kScale * kWidth);
  const int32_t* nsum = tile + Half::kNegSum * kWidth;
  VI32 dot[kWidth];
  VF32 first[kWidth];
  dot_half<Panel, kWidth, 0, 0>(group, tile, nsum, dot);
  unrolled<kWidth>([&](auto c)
                       QUERN_MATMUL_LAMBDA { first[c] = hn::Mul(hn::ConvertTo(df, dot[c]), hn::Set(df, d[c])); });
  dot_half<Panel, kWidth, 0, 1>(group, tile, nsum, dot);
  const VF32 scale = group.scale();
  unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA {
    acc[c] = hn::MulAdd(hn::MulAdd(hn::ConvertTo(df, dot[c]), hn::Set(df, d[kWidth + c]), first[c]), scale, acc[c]);
  });
  if constexpr (Panel::kHasMin) {
    const auto* dsum = reinterpret_cast<const float*>(tile + Half::kScaledNegSum * kWidth);
    const VF32 min = group.min();
    unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA {
      acc[c] = hn::MulAdd(min, hn::Set(df, dsum[c]), acc[c]);
      acc[c] = hn::MulAdd(min, hn::Set(df, dsum[kWidth + c]), acc[c]);
    });
  }
}

/// Elements 32 * kJ .. of a group of 256, for all columns: adds 2^shift * sub_scale * idot.
template <class Panel, size_t kWidth, size_t kJ>
HWY_INLINE void add_sub_block(const typename Panel::Group& group, const int32_t* tile, VI32 (&sum)[kWidth]) {
  const DI32 di32;
  const int32_t* q = tile + (Super::kCodes + 8 * kJ) * kWidth;
  const int32_t* nsum = tile + (Super::kNegSum + 2 * kJ) * kWidth;
  const int32_t* shift = tile + (Super::kShift + kJ) * kWidth;
  VI32 dot[kWidth];
  if constexpr (Panel::kSub == 32) {
    unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA {
      dot[c] = Panel::kBiasLog2 < 0 ? hn::Zero(di32) : bias_term<Panel>(nsum[c] + nsum[kWidth + c]);
    });
    add_products<Panel, kWidth, kJ, 0, 8>(group, q, dot);
    const VI32 scale = group.template sub_scale<kJ, 0>();
    unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA { dot[c] = hn::Mul(dot[c], scale); });
  } else {
    VI32 first[kWidth];
    dot_half<Panel, kWidth, kJ, 0>(group, q, nsum, first);
    const VI32 scale0 = group.template sub_scale<kJ, 0>();
    unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA { first[c] = hn::Mul(first[c], scale0); });
    dot_half<Panel, kWidth, kJ, 1>(group, q, nsum, dot);
    const VI32 scale1 = group.template sub_scale<kJ, 1>();
    unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA { dot[c] = hn::Add(hn::Mul(dot[c], scale1), first[c]); });
  }
  unrolled<kWidth>([&](auto c)
                       QUERN_MATMUL_LAMBDA { sum[c] = hn::Add(sum[c], hn::Shl(dot[c], hn::Set(di32, shift[c]))); });
}

template <class Panel, size_t kWidth, size_t kJ = 0>
HWY_INLINE void add_sub_blocks(const typename Panel::Group& group, const int32_t* tile, VI32 (&sum)[kWidth]) {
  if constexpr (kJ < 8) {
    add_sub_block<Panel, kWidth, kJ>(group, tile, sum);
    add_sub_blocks<Panel, kWidth, kJ + 1>(group, tile, sum);
  }
}

/// Adds the products of pairs of sub-minima and pairs of sums of activations, both 16 bits wide.
template <class Panel, size_t kWidth, size_t kPair = 0>
HWY_INLINE void add_minima(const typename Panel::Group& group, const int32_t* tile, VI32 (&sum)[kWidth]) {
  constexpr bool kHalves = Panel::kSub == 16;  // a pair is two halves of 32 elements, or two times 32 elements
  if constexpr (kPair < (kHalves ? 8 : 4)) {
    const VI32 first = group.template sub_min < kHalves ? kPair : 2 * kPair, 0 > ();
    const VI32 second = group.template sub_min < kHalves ? kPair : 2 * kPair + 1, kHalves ? 1 : 0 > ();
    const VI32 minima = hn::Or(first, hn::ShiftLeft<16>(second));
    const int32_t* pairs = tile + ((kHalves ? Super::kPairs16 : Super::kPairs32) + kPair) * kWidth;
    unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA { sum[c] = dot2(minima, pairs + c, sum[c]); });
    add_minima<Panel, kWidth, kPair + 1>(group, tile, sum);
  }
}

/// A group of 256 elements, for all columns of the tile.
template <class Panel, size_t kWidth>
HWY_INLINE void add_group_of_256(const typename Panel::Group& group, const int32_t* tile, VF32 (&acc)[kWidth]) {
  const DF32 df;
  const auto* d = reinterpret_cast<const float*>(tile + Super::kScale * kWidth);
  VI32 sum[kWidth];
  unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA { sum[c] = hn::Zero(DI32()); });
  add_sub_blocks<Panel, kWidth>(group, tile, sum);
  unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA {
    acc[c] = hn::MulAdd(hn::ConvertTo(df, sum[c]), hn::Mul(group.d(), hn::Set(df, d[c])), acc[c]);
  });
  if constexpr (Panel::kHasMin) {
    unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA { sum[c] = hn::Zero(DI32()); });
    add_minima<Panel, kWidth>(group, tile, sum);
    unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA {
      acc[c] = hn::MulAdd(hn::ConvertTo(df, sum[c]), hn::Mul(group.dmin(), hn::Set(df, d[c])), acc[c]);
    });
  }
}

template <size_t kWidth>
HWY_INLINE void store_tile(const VF32 (&acc)[kWidth], float* out, size_t out_stride, size_t n_rows) {
  const DF32 df;
  unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA {
    if (n_rows == qn::kLanes) {
      hn::StoreU(acc[c], df, out + c * out_stride);
    } else {
      hn::StoreN(acc[c], df, out + c * out_stride, n_rows);
    }
  });
}

template <class Panel, size_t kWidth>
HWY_NOINLINE void multiply_quantized(const uint8_t* panel, const uint8_t* tile, size_t n_groups, float* out,
                                     size_t out_stride, size_t n_rows) {
  constexpr ActivationKind kKind = activation_kind<Panel>();
  VF32 acc[kWidth];
  unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA { acc[c] = hn::Zero(DF32()); });
  for (size_t g = 0; g < n_groups; ++g) {
    const typename Panel::Group group(panel);
    const auto* dwords = reinterpret_cast<const int32_t*>(tile);
    if constexpr (Panel::kGroup == 256) {
      add_group_of_256<Panel, kWidth>(group, dwords, acc);
    } else {
      add_group_of_32<Panel, kWidth>(group, dwords, acc);
    }
    panel += qn::kLanes * Panel::kBlockBytes;
    tile += column_bytes(kKind, Panel::kGroup) * kWidth;
  }
  store_tile<kWidth>(acc, out, out_stride, n_rows);
}

/// Float formats: the even and the odd elements of K are summed apart, then added.
template <class Panel, size_t kWidth>
HWY_NOINLINE void multiply_float(const uint8_t* panel, const uint8_t* tile, size_t n_groups, float* out,
                                 size_t out_stride, size_t n_rows) {
  const DF32 df;
  constexpr size_t kGroupBytes = qn::kLanes * Panel::kBlockBytes;
  const auto* x = reinterpret_cast<const float*>(tile);
  VF32 even[kWidth], odd[kWidth];
  unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA { even[c] = odd[c] = hn::Zero(df); });
  size_t k = 0;
  for (; k + 2 <= n_groups; k += 2, panel += 2 * kGroupBytes, x += 2 * kWidth) {
    const VF32 w0 = Panel::load(panel), w1 = Panel::load(panel + kGroupBytes);
    unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA {
      even[c] = hn::MulAdd(w0, hn::Set(df, x[c]), even[c]);
      odd[c] = hn::MulAdd(w1, hn::Set(df, x[kWidth + c]), odd[c]);
    });
  }
  if (k < n_groups) {
    const VF32 w0 = Panel::load(panel);
    unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA { even[c] = hn::MulAdd(w0, hn::Set(df, x[c]), even[c]); });
  }
  unrolled<kWidth>([&](auto c) QUERN_MATMUL_LAMBDA { even[c] = hn::Add(even[c], odd[c]); });
  store_tile<kWidth>(even, out, out_stride, n_rows);
}

template <class Panel, size_t kWidth>
constexpr PanelTileFn tile_kernel() {
  if constexpr (kWidth > kMaxWidth) {
    return nullptr;
  } else if constexpr (Panel::kFloat) {
    return &multiply_float<Panel, kWidth>;
  } else {
    return &multiply_quantized<Panel, kWidth>;
  }
}

template <class Panel>
constexpr PanelKernels make_kernels(const PanelKernels* portable) {
  return {qn::kLanes,
          Panel::kGroup,
          qn::kLanes * Panel::kBlockBytes,
          activation_kind<Panel>(),
          kMaxWidth,
          &qn::pack_panel<Panel>,
          {nullptr, tile_kernel<Panel, 1>(), tile_kernel<Panel, 2>(), tile_kernel<Panel, 3>(), tile_kernel<Panel, 4>(),
           nullptr, nullptr, nullptr, tile_kernel<Panel, 8>()},
          portable};
}

}  // namespace QUERN_MATMUL_VARIANT
}  // namespace quern::cpu::HWY_NAMESPACE
#if QUERN_MATMUL_VNNI
HWY_POP_ATTRIBUTES
#else
HWY_AFTER_NAMESPACE();
#endif

#undef QUERN_MATMUL_VARIANT
#undef QUERN_MATMUL_VNNI
#undef QUERN_MATMUL_ASM
#undef QUERN_MATMUL_ATTR
#undef QUERN_MATMUL_LAMBDA
