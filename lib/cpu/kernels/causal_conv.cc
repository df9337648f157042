#include "lib/cpu/kernels/causal_conv.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/kernels/causal_conv.cc"
#include "hwy/foreach_target.h"

#include "lib/cpu/sigmoid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

/// Up to a vector of channels.
HWY_INLINE void some_channels(std::span<const float* const> inputs, const float* taps, float* out, size_t c, size_t n) {
  const DF df;
  const size_t n_taps = inputs.size();
  HWY_ALIGN float tap[HWY_MAX_LANES_D(DF)] = {};
  VF sum = hn::Zero(df);
  for (size_t j = 0; j < n_taps; ++j) {
    for (size_t i = 0; i < n; ++i) tap[i] = taps[(c + i) * n_taps + j];
    sum = hn::MulAdd(hn::Load(df, tap), hn::LoadN(df, inputs[j] + c, n), sum);
  }
  hn::StoreN(times_sigmoid(sum, sum), df, out + c, n);
}

void causal_conv_row(std::span<const float* const> inputs, const float* taps, float* out, size_t begin, size_t end) {
  const DF df;
  const size_t lanes = hn::Lanes(df);
  size_t c = begin;
  if (inputs.size() == 4) {  // as all models have it so far
    const float *a = inputs[0], *b = inputs[1], *d = inputs[2], *e = inputs[3];
    for (; c + lanes <= end; c += lanes) {
      VF w0, w1, w2, w3;
      hn::LoadInterleaved4(df, taps + c * 4, w0, w1, w2, w3);
      VF sum = hn::MulAdd(w0, hn::LoadU(df, a + c), hn::Zero(df));
      sum = hn::MulAdd(w1, hn::LoadU(df, b + c), sum);
      sum = hn::MulAdd(w2, hn::LoadU(df, d + c), sum);
      sum = hn::MulAdd(w3, hn::LoadU(df, e + c), sum);
      hn::StoreU(times_sigmoid(sum, sum), df, out + c);
    }
  }
  for (; c < end; c += lanes) some_channels(inputs, taps, out, c, HWY_MIN(lanes, end - c));
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(causal_conv_row);

void causal_conv_row(std::span<const float* const> inputs, const float* taps, float* out, size_t begin, size_t end) {
  HWY_DYNAMIC_DISPATCH(causal_conv_row)(inputs, taps, out, begin, end);
}

}  // namespace quern::cpu
#endif  // HWY_ONCE
