#include "lib/cpu/kernels/rope.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/kernels/rope.cc"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

HWY_INLINE void rotate(VF& a, VF& b, const float* cosine, const float* sine) {
  const DF df;
  const VF c = hn::LoadU(df, cosine), s = hn::LoadU(df, sine), a0 = a;
  a = hn::Sub(hn::Mul(a, c), hn::Mul(b, s));
  b = hn::Add(hn::Mul(a0, s), hn::Mul(b, c));
}

HWY_INLINE void rotate_one(float& a, float& b, float c, float s) {
  const float a0 = a;
  a = a0 * c - b * s;
  b = a0 * s + b * c;
}

HWY_INLINE void rope_interleaved(float* head, size_t half, const float* cosine, const float* sine) {
  const DF df;
  size_t i = 0;
  for (; i + hn::Lanes(df) <= half; i += hn::Lanes(df)) {
    VF a, b;
    hn::LoadInterleaved2(df, head + 2 * i, a, b);
    rotate(a, b, cosine + i, sine + i);
    hn::StoreInterleaved2(a, b, df, head + 2 * i);
  }
  for (; i < half; ++i) rotate_one(head[2 * i], head[2 * i + 1], cosine[i], sine[i]);
}

HWY_INLINE void rope_halves(float* head, size_t half, const float* cosine, const float* sine) {
  const DF df;
  size_t i = 0;
  for (; i + hn::Lanes(df) <= half; i += hn::Lanes(df)) {
    VF a = hn::LoadU(df, head + i), b = hn::LoadU(df, head + half + i);
    rotate(a, b, cosine + i, sine + i);
    hn::StoreU(a, df, head + i);
    hn::StoreU(b, df, head + half + i);
  }
  for (; i < half; ++i) rotate_one(head[i], head[half + i], cosine[i], sine[i]);
}

void rope_row(float* x, size_t n_heads, size_t head_dim, size_t half, compute::RopePairs pairs, const float* cosine,
              const float* sine) {
  for (size_t h = 0; h < n_heads; ++h, x += head_dim) {
    if (pairs == compute::RopePairs::interleaved) {
      rope_interleaved(x, half, cosine, sine);
    } else {
      rope_halves(x, half, cosine, sine);
    }
  }
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(rope_row);

void rope_row(float* x, size_t n_heads, size_t head_dim, size_t half, compute::RopePairs pairs, const float* cosine,
              const float* sine) {
  HWY_DYNAMIC_DISPATCH(rope_row)(x, n_heads, head_dim, half, pairs, cosine, sine);
}

}  // namespace quern::cpu
#endif  // HWY_ONCE
