#include "lib/convert/refine.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/convert/refine.cc"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quern::convert::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// y += factor * x, n elements.
void add_scaled(const float* x, float factor, float* y, size_t n) {
  const hn::ScalableTag<float> d;
  const auto f = hn::Set(d, factor);
  size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    hn::StoreU(hn::MulAdd(f, hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, y + i);
  }
  for (; i < n; ++i) y[i] += factor * x[i];
}

}  // namespace quern::convert::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::convert {

HWY_EXPORT(add_scaled);

std::unique_ptr<Refiner> Refiner::make(const quant::FormatInfo& format, const Moments& moments) {
  if (format.level_access.sub > 0) return make_level_refiner(format, moments);
  if (format.point_access.sub > 0) return make_point_refiner(format, moments);
  return nullptr;
}

void Refiner::follow(size_t k, float change, float* gradient) const {
  HWY_DYNAMIC_DISPATCH(add_scaled)(moments_.row(k), change, gradient, moments_.n_cols());
}

void Refiner::refine(const float* rows, size_t n_rows, std::byte* blocks, size_t row_bytes) {
  const size_t n = moments_.n_cols();
  decoded_.resize(kRows * n);
  gradient_.assign(kRows * n, 0.0f);
  for (size_t r = 0; r < n_rows; ++r) format_.decode(blocks + r * row_bytes, decoded_.data() + r * n, n);
  for (size_t k = 0; k < n; ++k) {
    for (size_t i = k; i < n_rows * n; i += n) follow(k, decoded_[i] - rows[i], gradient_.data() + (i - k));
  }
  for (size_t r = 0; r < n_rows; ++r) {
    sweep(decoded_.data() + r * n, gradient_.data() + r * n, blocks + r * row_bytes);
  }
}

}  // namespace quern::convert
#endif  // HWY_ONCE
