#include "lib/cpu/kernels/elementwise.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/kernels/elementwise.cc"
#include "hwy/foreach_target.h"

#include "lib/cpu/sigmoid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

/// out[i] = f(a[i], b[i]) for vectors of a and b.
template <class F>
HWY_INLINE void combine_elements(const float* a, const float* b, float* out, size_t n, F&& f) {
  const DF df;
  const size_t lanes = hn::Lanes(df);
  size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(f(hn::LoadU(df, a + i), hn::LoadU(df, b + i)), df, out + i);
  if (i < n) hn::StoreN(f(hn::LoadN(df, a + i, n - i), hn::LoadN(df, b + i, n - i)), df, out + i, n - i);
}

void add_row(float* x, const float* y, size_t n) {
  combine_elements(x, y, x, n, [](VF a, VF b) HWY_ATTR { return hn::Add(a, b); });
}

void add_scaled_row(float* x, const float* y, float factor, size_t n) {
  const VF scale = hn::Set(DF(), factor);
  combine_elements(x, y, x, n, [scale](VF a, VF b) HWY_ATTR { return hn::MulAdd(b, scale, a); });
}

void scale_row(const float* x, float factor, float* out, size_t n) {
  const VF scale = hn::Set(DF(), factor);
  combine_elements(x, x, out, n, [scale](VF a, VF) HWY_ATTR { return hn::Mul(a, scale); });
}

void softcap_row(float* x, float cap, size_t n) {
  const DF df;
  const VF scale = hn::Set(df, cap);
  combine_elements(x, x, x, n,
                   [df, scale](VF a, VF) HWY_ATTR { return hn::Mul(scale, hn::Tanh(df, hn::Div(a, scale))); });
}

void sigmoid_row(float* x, size_t n) {
  combine_elements(x, x, x, n, [](VF a, VF) HWY_ATTR { return times_sigmoid(hn::Set(DF(), 1.0f), a); });
}

void decay_row(float* x, const float* rate, size_t n) {
  combine_elements(x, rate, x, n, [](VF a, VF r) HWY_ATTR {
    const DF df;
    // From 20 on, ln(1 + exp(x)) is x in float32.
    const VF limit = hn::Set(df, 20.0f), softplus = hn::Log1p(df, hn::Exp(df, hn::Min(a, limit)));
    const VF exponent = hn::Mul(r, hn::IfThenElse(hn::Gt(a, limit), a, softplus));
    return hn::Exp(df, hn::Min(exponent, hn::Set(df, 88.0f)));  // Exp() is for numbers up to 104
  });
}

/// By tanh: (1 + tanh(y)) / 2 = sigmoid(2 y).
HWY_INLINE VF gelu(VF x) {
  const DF df;
  const VF linear = hn::Set(df, 1.5957691f), cubic = hn::Set(df, 0.07135481f);  // 2 sqrt(2 / pi), that * 0.044715
  return times_sigmoid(x, hn::Mul(x, hn::MulAdd(hn::Mul(x, x), cubic, linear)));
}

void gelu_row(float* x, size_t n) {
  combine_elements(x, x, x, n, [](VF a, VF) HWY_ATTR { return gelu(a); });
}

void glu_row(compute::Glu kind, const float* gate, const float* up, float* out, size_t n) {
  if (kind == compute::Glu::silu) {
    combine_elements(gate, up, out, n, [](VF g, VF u) HWY_ATTR { return hn::Mul(times_sigmoid(g, g), u); });
    return;
  }
  if (kind == compute::Glu::clipped_silu) {
    combine_elements(gate, up, out, n, [](VF g, VF u) HWY_ATTR {
      const DF df;
      const VF limit = hn::Set(df, 7.0f);
      g = hn::Min(g, limit);
      u = hn::Max(hn::Min(u, limit), hn::Neg(limit));
      return hn::Mul(times_sigmoid(g, hn::Mul(g, hn::Set(df, 1.702f))), hn::Add(u, hn::Set(df, 1.0f)));
    });
    return;
  }
  if (kind == compute::Glu::sigmoid) {
    combine_elements(gate, up, out, n, [](VF g, VF u) HWY_ATTR { return times_sigmoid(u, g); });
    return;
  }
  combine_elements(gate, up, out, n, [](VF g, VF u) HWY_ATTR { return hn::Mul(gelu(g), u); });
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(add_row);
HWY_EXPORT(add_scaled_row);
HWY_EXPORT(scale_row);
HWY_EXPORT(softcap_row);
HWY_EXPORT(gelu_row);
HWY_EXPORT(glu_row);
HWY_EXPORT(sigmoid_row);
HWY_EXPORT(decay_row);

void add_row(float* x, const float* y, size_t n) { HWY_DYNAMIC_DISPATCH(add_row)(x, y, n); }
void add_scaled_row(float* x, const float* y, float factor, size_t n) {
  HWY_DYNAMIC_DISPATCH(add_scaled_row)(x, y, factor, n);
}
void scale_row(const float* x, float factor, float* out, size_t n) {
  HWY_DYNAMIC_DISPATCH(scale_row)(x, factor, out, n);
}
void softcap_row(float* x, float cap, size_t n) { HWY_DYNAMIC_DISPATCH(softcap_row)(x, cap, n); }
void gelu_row(float* x, size_t n) { HWY_DYNAMIC_DISPATCH(gelu_row)(x, n); }
void sigmoid_row(float* x, size_t n) { HWY_DYNAMIC_DISPATCH(sigmoid_row)(x, n); }
void decay_row(float* x, const float* rate, size_t n) { HWY_DYNAMIC_DISPATCH(decay_row)(x, rate, n); }
void glu_row(compute::Glu kind, const float* gate, const float* up, float* out, size_t n) {
  HWY_DYNAMIC_DISPATCH(glu_row)(kind, gate, up, out, n);
}

}  // namespace quern::cpu
#endif  // HWY_ONCE
