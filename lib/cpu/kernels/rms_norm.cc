#include "lib/cpu/kernels/rms_norm.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/kernels/rms_norm.cc"
#include "hwy/foreach_target.h"

#include "lib/cpu/sum-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

HWY_INLINE float sum_of_squares(const float* x, size_t n) {
  const hn::ScalableTag<float> df;
  const size_t lanes = hn::Lanes(df);
  // 32 chains: those of the elements 0 .. 15 and 16 .. 31 of every 32.
  SumVector even[kSumVectors], odd[kSumVectors];
  for (size_t v = 0; v < kSumVectors; ++v) even[v] = odd[v] = hn::Zero(df);
  size_t i = 0;
  for (; i + 2 * kPartialSums <= n; i += 2 * kPartialSums) {
    for (size_t v = 0; v < kSumVectors; ++v) {
      const auto a = hn::LoadU(df, x + i + v * lanes), b = hn::LoadU(df, x + i + kPartialSums + v * lanes);
      even[v] = hn::MulAdd(a, a, even[v]);
      odd[v] = hn::MulAdd(b, b, odd[v]);
    }
  }
  for (size_t v = 0; i < n; i += lanes, v = (v + 1) % kSumVectors) {
    const auto a = hn::LoadN(df, x + i, n - i);
    even[v] = hn::MulAdd(a, a, even[v]);
  }
  for (size_t v = 0; v < kSumVectors; ++v) even[v] = hn::Add(even[v], odd[v]);
  return sum_of(even);
}

void rms_norm_row(const float* x, const float* weight, float eps, float* out, size_t n) {
  const hn::ScalableTag<float> df;
  const size_t lanes = hn::Lanes(df);
  const double mean = static_cast<double>(sum_of_squares(x, n)) / static_cast<double>(n);
  const auto inverse = hn::Set(df, static_cast<float>(1.0 / std::sqrt(mean + static_cast<double>(eps))));
  size_t i = 0;
  if (weight == nullptr) {
    for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Mul(hn::LoadU(df, x + i), inverse), df, out + i);
    if (i < n) hn::StoreN(hn::Mul(hn::LoadN(df, x + i, n - i), inverse), df, out + i, n - i);
    return;
  }
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(df, x + i), inverse), hn::LoadU(df, weight + i)), df, out + i);
  }
  if (i < n) {
    hn::StoreN(hn::Mul(hn::Mul(hn::LoadN(df, x + i, n - i), inverse), hn::LoadN(df, weight + i, n - i)), df, out + i,
               n - i);
  }
}

void l2_norm_row(float* x, float eps, size_t n) {
  const hn::ScalableTag<float> df;
  const size_t lanes = hn::Lanes(df);
  const double length = std::sqrt(static_cast<double>(sum_of_squares(x, n)));
  const auto inverse = hn::Set(df, static_cast<float>(1.0 / std::max(length, static_cast<double>(eps))));
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Mul(hn::LoadU(df, x + i), inverse), df, x + i);
  if (i < n) hn::StoreN(hn::Mul(hn::LoadN(df, x + i, n - i), inverse), df, x + i, n - i);
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(rms_norm_row);
HWY_EXPORT(l2_norm_row);

void rms_norm_row(const float* x, const float* weight, float eps, float* out, size_t n) {
  HWY_DYNAMIC_DISPATCH(rms_norm_row)(x, weight, eps, out, n);
}
void l2_norm_row(float* x, float eps, size_t n) { HWY_DYNAMIC_DISPATCH(l2_norm_row)(x, eps, n); }

}  // namespace quern::cpu
#endif  // HWY_ONCE
