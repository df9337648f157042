// Sums across lanes in one order on every target: of 16 partial sums, which are one vector of AVX-512, two of AVX2 and
// four of narrower sets. So a machine's instruction set does not show in them.

#if defined(QUERN_CPU_SUM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_CPU_SUM_INL_H_
#undef QUERN_CPU_SUM_INL_H_
#else
#define QUERN_CPU_SUM_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Partial sum i collects the elements i, i + 16, i + 32, ...
inline constexpr size_t kPartialSums = 16;
inline constexpr size_t kSumVectors = kPartialSums / HWY_MAX_LANES_D(hn::ScalableTag<float>);
using SumVector = hn::Vec<hn::ScalableTag<float>>;

/// Adds the upper half of the lanes to the lower one until four are left.
template <class D>
HWY_INLINE float fold(D d, hn::Vec<D> v) {
  if constexpr (HWY_MAX_LANES_D(D) > 4) {
    const hn::Half<D> half;
    return fold(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  } else {
    v = hn::Add(v, hn::Shuffle1032(v));
    return hn::GetLane(hn::Add(v, hn::Shuffle2301(v)));
  }
}

/// The sum of the partial sums: 8 and 8, then 4 and 4, 2 and 2, 1 and 1. They are overwritten.
HWY_INLINE float sum_of(SumVector (&partial)[kSumVectors]) {
  for (size_t n = kSumVectors / 2; n > 0; n /= 2) {
    for (size_t i = 0; i < n; ++i) partial[i] = hn::Add(partial[i], partial[i + n]);
  }
  return fold(hn::ScalableTag<float>(), partial[0]);
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUERN_CPU_SUM_INL_H_
