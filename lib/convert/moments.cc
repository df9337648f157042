#include "lib/convert/moments.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/convert/moments.cc"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quern::convert::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Adds x^T x to the upper triangle of sums [n, n]: 4 rows by two vectors of columns at a time stay in registers while
/// all tokens pass.
void add_products(const compute::MatmulInput& x, float* sums) {
  const hn::ScalableTag<float> d;
  const size_t n = x.cols, step = 2 * hn::Lanes(d);
  const auto one = [&](size_t i, size_t j) HWY_ATTR {
    float sum = 0;
    for (uint32_t t = 0; t < x.rows; ++t) sum += x.row(t)[i] * x.row(t)[j];
    sums[i * n + j] += sum;
  };
  for (size_t i = 0; i < n; i += 4) {
    size_t j = i;
    for (; i + 4 <= n && j + step <= n; j += step) {
      auto a0 = hn::Zero(d), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, e0 = a0, e1 = a0;
      for (uint32_t t = 0; t < x.rows; ++t) {
        const float* row = x.row(t);
        const auto left = hn::LoadU(d, row + j), right = hn::LoadU(d, row + j + hn::Lanes(d));
        const auto f0 = hn::Set(d, row[i]), f1 = hn::Set(d, row[i + 1]), f2 = hn::Set(d, row[i + 2]),
                   f3 = hn::Set(d, row[i + 3]);
        a0 = hn::MulAdd(f0, left, a0), a1 = hn::MulAdd(f0, right, a1);
        b0 = hn::MulAdd(f1, left, b0), b1 = hn::MulAdd(f1, right, b1);
        c0 = hn::MulAdd(f2, left, c0), c1 = hn::MulAdd(f2, right, c1);
        e0 = hn::MulAdd(f3, left, e0), e1 = hn::MulAdd(f3, right, e1);
      }
      const auto put = [&](size_t r, auto low, auto high) HWY_ATTR {
        float* to = sums + (i + r) * n + j;
        hn::StoreU(hn::Add(hn::LoadU(d, to), low), d, to);
        hn::StoreU(hn::Add(hn::LoadU(d, to + hn::Lanes(d)), high), d, to + hn::Lanes(d));
      };
      put(0, a0, a1);
      put(1, b0, b1);
      put(2, c0, c1);
      put(3, e0, e1);
    }
    for (; j < n; ++j) {
      for (size_t r = i; r < std::min(i + 4, n); ++r) one(r, j);
    }
  }
}

}  // namespace quern::convert::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::convert {

HWY_EXPORT(add_products);

void Moments::add(const compute::MatmulInput& x) {
  HWY_DYNAMIC_DISPATCH(add_products)(x, sums_.data());
  n_rows_ += x.rows;
}

void Moments::finish(float damping) {
  const float mean = 1.0f / static_cast<float>(std::max<uint64_t>(n_rows_, 1));
  double trace = 0;
  for (size_t i = 0; i < n_cols_; ++i) {
    for (size_t j = i; j < n_cols_; ++j) {
      const float value = sums_[i * n_cols_ + j] * mean;
      sums_[i * n_cols_ + j] = sums_[j * n_cols_ + i] = value;
    }
    trace += sums_[i * n_cols_ + i];
  }
  const float more = trace > 0 ? damping * static_cast<float>(trace / n_cols_) : 1.0f;
  for (size_t i = 0; i < n_cols_; ++i) sums_[i * n_cols_ + i] += more;
}

std::vector<float> Moments::diagonal() const {
  std::vector<float> out(n_cols_);
  for (size_t i = 0; i < n_cols_; ++i) out[i] = row(i)[i];
  return out;
}

}  // namespace quern::convert
#endif  // HWY_ONCE
