// The matrix product, written once over the description of a format's panel (lib/quant/panel-inl.h).
//
// For every 16 or 32 elements of K, as the activations are quantized, and every row r and column c:
//   idot = sum of code * activation code               exact, in int32
//   acc  = acc + (float(idot) * scale[r]) * d[c]       two roundings, in the order of K
//   acc  = acc + min[r] * dsum[c]                      where the format has minima
// Where two blocks of 16 activations meet one scale, their float(idot) * d[c] are added first. Columns never meet, and
// the order along K is fixed, so a result does not depend on the width of the tile or on who computes it.
//
// Included once per variant of a target: QUERN_MATMUL_VARIANT names a namespace inside the target's, and
// QUERN_MATMUL_VNNI is 1 for the variant that may use AVX-512 VNNI on a target that does not have it (Cascade Lake is
// such a machine).

#include "lib/cpu/matmul/panel_kernels.h"
#include "lib/quant/panel-inl.h"

#if QUERN_MATMUL_VNNI
#ifdef HWY_TARGET_STR
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
#else
HWY_PUSH_ATTRIBUTES("avx512vnni")
#endif
#else
HWY_BEFORE_NAMESPACE();
#endif
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

/// acc + the four products of unsigned codes and signed activation codes in each dword, exactly. kSmall: codes are
/// below 128, so that sums of two products fit 16 bits.
template <bool kSmall>
HWY_INLINE VI32 dot4(VU8 codes, int32_t activation, VI32 acc) {
  const DI32 di32;
  const auto a = hn::BitCast(DI8(), hn::Set(di32, activation));
#if QUERN_MATMUL_VNNI
  return VI32{_mm512_dpbusd_epi32(acc.raw, codes.raw, a.raw)};
#else
#if HWY_ARCH_X86 && HWY_TARGET > HWY_AVX3_DL && HWY_TARGET <= HWY_SSE4
  if constexpr (kSmall) {
    const hn::Repartition<int16_t, DI32> di16;
    const auto pairs = hn::SatWidenMulPairwiseAdd(di16, codes, a);
    return hn::Add(acc, hn::WidenMulPairwiseAdd(di32, pairs, hn::Set(di16, int16_t{1})));
  }
#endif
  return hn::SumOfMulQuadAccumulate(di32, codes, a, acc);
#endif
}

/// acc + sum over the vectors u[kFirst .. kFirst + kCount) of code * activation code, per row.
template <bool kSmall, size_t kWidth, size_t kFirst, size_t kCount>
HWY_INLINE VI32 dot_codes(const VU8 (&u)[8], const int32_t* q, size_t column, VI32 acc) {
  if constexpr (kWidth <= 2 &&
                kCount == 8) {  // two chains hide the latency where there are few columns; sums are exact
    return hn::Add(dot_codes<kSmall, kWidth, 0, 4>(u, q, column, acc),
                   dot_codes<kSmall, kWidth, 4, 4>(u, q, column, hn::Zero(DI32())));
  } else {
    HWY_UNROLL(8)
    for (size_t t = kFirst; t < kFirst + kCount; ++t) {
      acc = dot4<kSmall>(u[t], q[t * kWidth + column], acc);
    }
    return acc;
  }
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

/// How finely activations are quantized for a format. Blocks of 16 make the error of formats that are nearly exact
/// themselves smaller by a fifth; formats of 256 elements lose far more in their weights and save the work.
template <class Panel>
constexpr ActivationKind activation_kind() {
  if constexpr (Panel::kFloat) {
    return ActivationKind::f32;
  } else {
    return Panel::kSub == 16 || Panel::kGroup == 32 ? ActivationKind::per16 : ActivationKind::per32;
  }
}

/// Elements 32 * kJ .. of a group, for all columns of the tile.
template <class Panel, size_t kWidth, size_t kJ>
HWY_INLINE void add_sub_block(const typename Panel::Group& group, const uint8_t* tile, VF32 (&acc)[kWidth]) {
  const DF32 df;
  constexpr ActivationKind kKind = activation_kind<Panel>();
  constexpr size_t kParts = kKind == ActivationKind::per16 ? 2 : 1;
  constexpr bool kSmall = Panel::kBiasLog2 < 7;  // only a bias of 128 goes with codes of 8 bits
  const auto* q = reinterpret_cast<const int32_t*>(tile + kJ * column_bytes(kKind, 32) * kWidth);
  const auto* d = reinterpret_cast<const float*>(q + 8 * kWidth);
  const auto* nsum = q + (8 + kParts) * kWidth;
  const auto* dsum = reinterpret_cast<const float*>(q + (8 + 2 * kParts) * kWidth);

  VU8 u[8];
  group.template codes<kJ>(u);
  constexpr size_t kSecond = Panel::kSub == 16 ? 1 : 0;  // which scale the second 16 elements have
  const VF32 scale0 = group.template scale<kJ, 0>();
  const VF32 scale1 = group.template scale<kJ, kSecond>();
  HWY_UNROLL(8)
  for (size_t c = 0; c < kWidth; ++c) {
    if constexpr (kParts == 1) {
      const VI32 idot = dot_codes<kSmall, kWidth, 0, 8>(u, q, c, bias_term<Panel>(nsum[c]));
      acc[c] = hn::MulAdd(hn::Mul(hn::ConvertTo(df, idot), scale0), hn::Set(df, d[c]), acc[c]);
      continue;
    }
    const VF32 dot0 = hn::ConvertTo(df, dot_codes<kSmall, kWidth, 0, 4>(u, q, c, bias_term<Panel>(nsum[c])));
    const VF32 dot1 =
        hn::ConvertTo(df, dot_codes<kSmall, kWidth, 4, 4>(u, q, c, bias_term<Panel>(nsum[(kParts - 1) * kWidth + c])));
    const VF32 d0 = hn::Set(df, d[c]), d1 = hn::Set(df, d[(kParts - 1) * kWidth + c]);
    if constexpr (kSecond == 0) {
      acc[c] = hn::MulAdd(hn::MulAdd(dot1, d1, hn::Mul(dot0, d0)), scale0, acc[c]);
    } else {
      acc[c] = hn::MulAdd(hn::Mul(dot0, scale0), d0, acc[c]);
      acc[c] = hn::MulAdd(hn::Mul(dot1, scale1), d1, acc[c]);
    }
  }
  if constexpr (Panel::kHasMin) {
    const VF32 min0 = group.template min<kJ, 0>();
    for (size_t c = 0; c < kWidth; ++c) acc[c] = hn::MulAdd(min0, hn::Set(df, dsum[c]), acc[c]);
    if constexpr (kParts == 2) {
      const VF32 min1 = group.template min<kJ, kSecond>();
      for (size_t c = 0; c < kWidth; ++c) acc[c] = hn::MulAdd(min1, hn::Set(df, dsum[kWidth + c]), acc[c]);
    }
  }
}

template <class Panel, size_t kWidth, size_t kJ = 0>
HWY_INLINE void add_group(const typename Panel::Group& group, const uint8_t* tile, VF32 (&acc)[kWidth]) {
  if constexpr (kJ < Panel::kGroup / 32) {
    add_sub_block<Panel, kWidth, kJ>(group, tile, acc);
    add_group<Panel, kWidth, kJ + 1>(group, tile, acc);
  }
}

template <size_t kWidth>
HWY_INLINE void store_tile(const VF32 (&acc)[kWidth], float* out, size_t out_stride, size_t n_rows) {
  const DF32 df;
  for (size_t c = 0; c < kWidth; ++c) {
    if (n_rows == qn::kLanes) {
      hn::StoreU(acc[c], df, out + c * out_stride);
    } else {
      hn::StoreN(acc[c], df, out + c * out_stride, n_rows);
    }
  }
}

template <class Panel, size_t kWidth>
HWY_NOINLINE void multiply_quantized(const uint8_t* panel, const uint8_t* tile, size_t n_groups, float* out,
                                     size_t out_stride, size_t n_rows) {
  constexpr ActivationKind kKind = activation_kind<Panel>();
  VF32 acc[kWidth];
  for (size_t c = 0; c < kWidth; ++c) acc[c] = hn::Zero(DF32());
  for (size_t g = 0; g < n_groups; ++g) {
    const typename Panel::Group group(panel);
    add_group<Panel, kWidth>(group, tile, acc);
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
  for (size_t c = 0; c < kWidth; ++c) even[c] = odd[c] = hn::Zero(df);
  size_t k = 0;
  for (; k + 2 <= n_groups; k += 2, panel += 2 * kGroupBytes, x += 2 * kWidth) {
    const VF32 w0 = Panel::load(panel), w1 = Panel::load(panel + kGroupBytes);
    HWY_UNROLL(8)
    for (size_t c = 0; c < kWidth; ++c) {
      even[c] = hn::MulAdd(w0, hn::Set(df, x[c]), even[c]);
      odd[c] = hn::MulAdd(w1, hn::Set(df, x[kWidth + c]), odd[c]);
    }
  }
  if (k < n_groups) {
    const VF32 w0 = Panel::load(panel);
    for (size_t c = 0; c < kWidth; ++c) even[c] = hn::MulAdd(w0, hn::Set(df, x[c]), even[c]);
  }
  for (size_t c = 0; c < kWidth; ++c) even[c] = hn::Add(even[c], odd[c]);
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
          &qn::pack_group<Panel>,
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
