// The logistic function of vectors.

#if defined(QUERN_CPU_SIGMOID_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_CPU_SIGMOID_INL_H_
#undef QUERN_CPU_SIGMOID_INL_H_
#else
#define QUERN_CPU_SIGMOID_INL_H_
#endif

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// x * sigmoid(y)
HWY_INLINE hn::Vec<hn::ScalableTag<float>> times_sigmoid(hn::Vec<hn::ScalableTag<float>> x,
                                                         hn::Vec<hn::ScalableTag<float>> y) {
  const hn::ScalableTag<float> df;
  const auto one = hn::Set(df, 1.0f);
  const auto exponent = hn::Min(hn::Neg(y), hn::Set(df, 88.0f));  // Exp() is for numbers up to 104
  return hn::Mul(x, hn::Div(one, hn::Add(one, hn::Exp(df, exponent))));
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUERN_CPU_SIGMOID_INL_H_
