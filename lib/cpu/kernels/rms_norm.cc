#include "lib/cpu/kernels/rms_norm.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/kernels/rms_norm.cc"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void rms_norm_row(const float* x, const float* weight, float eps, float* out, size_t n) {
  const hn::ScalableTag<float> df;
  const size_t lanes = hn::Lanes(df);
  auto even = hn::Zero(df), odd = hn::Zero(df);
  size_t i = 0;
  for (; i + 2 * lanes <= n; i += 2 * lanes) {
    const auto a = hn::LoadU(df, x + i), b = hn::LoadU(df, x + i + lanes);
    even = hn::MulAdd(a, a, even);
    odd = hn::MulAdd(b, b, odd);
  }
  for (; i < n; i += lanes) {
    const auto a = hn::LoadN(df, x + i, n - i);
    even = hn::MulAdd(a, a, even);
  }
  const double mean = static_cast<double>(hn::ReduceSum(df, hn::Add(even, odd))) / static_cast<double>(n);
  const auto inverse = hn::Set(df, static_cast<float>(1.0 / std::sqrt(mean + static_cast<double>(eps))));
  for (i = 0; i + lanes <= n; i += lanes) {
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(df, x + i), inverse), hn::LoadU(df, weight + i)), df, out + i);
  }
  if (i < n) {
    hn::StoreN(hn::Mul(hn::Mul(hn::LoadN(df, x + i, n - i), inverse), hn::LoadN(df, weight + i, n - i)), df, out + i,
               n - i);
  }
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(rms_norm_row);

void rms_norm_row(const float* x, const float* weight, float eps, float* out, size_t n) {
  HWY_DYNAMIC_DISPATCH(rms_norm_row)(x, weight, eps, out, n);
}

}  // namespace quern::cpu
#endif  // HWY_ONCE
