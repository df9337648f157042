#include "lib/cpu/kernels/layer_norm.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/kernels/layer_norm.cc"
#include "hwy/foreach_target.h"

#include "lib/cpu/sum-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

/// The mean of f(x[i]), summed in the order of sum-inl.h. f(v, n): of the first n lanes of v, the others become 0.
template <class F>
HWY_INLINE double mean_of(const float* x, size_t n, F&& f) {
  const DF df;
  const size_t lanes = hn::Lanes(df);
  SumVector sums[kSumVectors];
  for (size_t v = 0; v < kSumVectors; ++v) sums[v] = hn::Zero(df);
  size_t i = 0;
  for (; i + kPartialSums <= n; i += kPartialSums) {
    for (size_t v = 0; v < kSumVectors; ++v) sums[v] = hn::Add(sums[v], f(hn::LoadU(df, x + i + v * lanes), lanes));
  }
  for (size_t v = 0; i < n; i += lanes, ++v) {
    const size_t count = HWY_MIN(lanes, n - i);
    sums[v] = hn::Add(sums[v], f(hn::LoadN(df, x + i, count), count));
  }
  return static_cast<double>(sum_of(sums)) / static_cast<double>(n);
}

void layer_norm_row(const float* x, const float* weight, const float* bias, float eps, float* out, size_t n) {
  const DF df;
  const size_t lanes = hn::Lanes(df);
  const VF mean = hn::Set(df, static_cast<float>(mean_of(x, n, [](VF v, size_t) HWY_ATTR { return v; })));
  const double variance = mean_of(x, n, [mean](VF v, size_t count) HWY_ATTR {
    const DF d;
    const VF centered = hn::Sub(v, mean);
    return hn::IfThenElseZero(hn::FirstN(d, count), hn::Mul(centered, centered));
  });
  const VF inverse = hn::Set(df, static_cast<float>(1.0 / std::sqrt(variance + static_cast<double>(eps))));
  for (size_t i = 0; i < n; i += lanes) {
    const size_t count = HWY_MIN(lanes, n - i);
    const VF scaled = hn::Mul(hn::Sub(hn::LoadN(df, x + i, count), mean), inverse);
    const VF shift = bias != nullptr ? hn::LoadN(df, bias + i, count) : hn::Zero(df);
    hn::StoreN(hn::MulAdd(scaled, hn::LoadN(df, weight + i, count), shift), df, out + i, count);
  }
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(layer_norm_row);

void layer_norm_row(const float* x, const float* weight, const float* bias, float eps, float* out, size_t n) {
  HWY_DYNAMIC_DISPATCH(layer_norm_row)(x, weight, bias, eps, out, n);
}

}  // namespace quern::cpu
#endif  // HWY_ONCE
