// Dot products of small integers in every 32-bit lane of a vector, exactly, with the second factor broadcast from
// memory. kVnni: with the dot product instructions of AVX-512 VNNI, which some machines of Highway's target AVX3 have
// and others have not (Cascade Lake, Skylake). They are spelled out because compilers load and broadcast with an
// instruction of its own, and the decoders of Zen 4 then deliver a dot product every 1.04 to 1.4 cycles, not every 1.0.

#if defined(QUERN_CPU_DOT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_CPU_DOT_INL_H_
#undef QUERN_CPU_DOT_INL_H_
#else
#define QUERN_CPU_DOT_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include "hwy/highway.h"

// What a lambda in a kernel needs: the instruction set of the functions around it, and to be inlined.
#undef QUERN_INLINE_LAMBDA
#define QUERN_INLINE_LAMBDA HWY_ATTR __attribute__((always_inline))

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Whether every machine of this target has AVX-512 VNNI.
inline constexpr bool kTargetHasVnni = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL;

/// f(0), f(1) .. f(kCount - 1), with constants: arrays indexed by them live in registers.
template <size_t kCount, class F>
HWY_INLINE void unrolled(F&& f) {
  [&]<size_t... kIndex>(std::index_sequence<kIndex...>) QUERN_INLINE_LAMBDA {
    (f(std::integral_constant<size_t, kIndex>()), ...);
  }
  (std::make_index_sequence<kCount>());
}

using DotD = hn::ScalableTag<int32_t>;
using DotV = hn::Vec<DotD>;
using DotBytes = hn::Vec<hn::Repartition<uint8_t, DotD>>;

/// sum + the four products of unsigned codes and signed bytes in each dword. kSmall: codes are below 128, so that sums
/// of two products fit 16 bits.
template <bool kVnni, bool kSmall>
HWY_INLINE DotV dot4(DotBytes codes, const int32_t* bytes, DotV sum) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  if constexpr (kVnni) {
    asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum.raw) : "v"(codes.raw), "m"(*bytes));
    return sum;
  }
#endif
  const DotD di32;
  const auto factor = hn::BitCast(hn::Repartition<int8_t, DotD>(), hn::Set(di32, *bytes));
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSE4
  if constexpr (kSmall) {
    const hn::Repartition<int16_t, DotD> di16;
    const auto pairs = hn::SatWidenMulPairwiseAdd(di16, codes, factor);
    return hn::Add(sum, hn::WidenMulPairwiseAdd(di32, pairs, hn::Set(di16, int16_t{1})));
  }
#endif
  return hn::SumOfMulQuadAccumulate(di32, codes, factor, sum);
}

/// sum + the two products of signed 16-bit numbers in each dword.
template <bool kVnni>
HWY_INLINE DotV dot2(DotV pairs, const int32_t* shorts, DotV sum) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  if constexpr (kVnni) {
    asm("vpdpwssd %2%{1to16%}, %1, %0" : "+v"(sum.raw) : "v"(pairs.raw), "m"(*shorts));
    return sum;
  }
#endif
  const DotD di32;
  const hn::Repartition<int16_t, DotD> di16;
  const auto factor = hn::BitCast(di16, hn::Set(di32, *shorts));
  return hn::Add(sum, hn::WidenMulPairwiseAdd(di32, hn::BitCast(di16, pairs), factor));
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUERN_CPU_DOT_INL_H_
