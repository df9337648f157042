#include "lib/cpu/kernels/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/kernels/elementwise.cc"
#include "hwy/foreach_target.h"

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

void add_row(float* x, const float* y, size_t n) {
  const DF df;
  const size_t lanes = hn::Lanes(df);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::Add(hn::LoadU(df, x + i), hn::LoadU(df, y + i)), df, x + i);
  if (i < n) hn::StoreN(hn::Add(hn::LoadN(df, x + i, n - i), hn::LoadN(df, y + i, n - i)), df, x + i, n - i);
}

HWY_INLINE VF swiglu(VF gate, VF up) {
  const DF df;
  const VF one = hn::Set(df, 1.0f);
  const VF sigmoid = hn::Div(one, hn::Add(one, hn::Exp(df, hn::Neg(gate))));
  return hn::Mul(hn::Mul(gate, sigmoid), up);
}

void swiglu_row(const float* gate, const float* up, float* out, size_t n) {
  const DF df;
  const size_t lanes = hn::Lanes(df);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(swiglu(hn::LoadU(df, gate + i), hn::LoadU(df, up + i)), df, out + i);
  if (i < n) hn::StoreN(swiglu(hn::LoadN(df, gate + i, n - i), hn::LoadN(df, up + i, n - i)), df, out + i, n - i);
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(add_row);
HWY_EXPORT(swiglu_row);

void add_row(float* x, const float* y, size_t n) { HWY_DYNAMIC_DISPATCH(add_row)(x, y, n); }
void swiglu_row(const float* gate, const float* up, float* out, size_t n) {
  HWY_DYNAMIC_DISPATCH(swiglu_row)(gate, up, out, n);
}

}  // namespace quern::cpu
#endif  // HWY_ONCE
