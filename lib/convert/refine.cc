#include "lib/convert/refine.h"

#include <algorithm>
#include <cmath>

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
namespace {

HWY_EXPORT(add_scaled);

constexpr int kSweeps = 6;

int nearest_level(const quant::Levels& levels, float v) {
  if (levels.codebook == nullptr) {
    return static_cast<int>(
        std::nearbyint(std::clamp(v, static_cast<float>(levels.low), static_cast<float>(levels.high))));
  }
  const int8_t* const end = levels.codebook + levels.codebook_size;
  const int8_t* const above = std::find_if(levels.codebook, end, [v](int8_t level) { return level >= v; });
  if (above == levels.codebook) return *above;
  if (above == end) return end[-1];
  return static_cast<float>(*above) - v < v - static_cast<float>(above[-1]) ? *above : above[-1];
}

}  // namespace

void Refiner::load_row(const float* row, const std::byte* blocks, size_t r) {
  const size_t n = moments_.n_cols(), sub = format_.level_access.sub, per_block = format_.block_elems / sub;
  float* const scale = scale_.data() + r * (n / sub);
  float* const min = min_.data() + r * (n / sub);
  format_.decode(blocks, decoded_.data(), n);
  for (size_t b = 0; b < n / format_.block_elems; ++b) {
    format_.level_access.scales(blocks + b * format_.block_bytes, scale + b * per_block, min + b * per_block);
  }
  for (size_t k = 0; k < n; ++k) {
    const float a = scale[k / sub];
    const int level = a == 0 ? nearest_level(format_.level_access.levels, 0)
                             : nearest_level(format_.level_access.levels, (decoded_[k] + min[k / sub]) / a);
    levels_[r * n + k] = static_cast<int8_t>(level);
    errors_[r * n + k] = decoded_[k] - row[k];
  }
}

void Refiner::sweep_row(size_t r) {
  const size_t n = moments_.n_cols(), sub = format_.level_access.sub;
  const float* const scale = scale_.data() + r * (n / sub);
  float* const gradient = gradient_.data() + r * n;
  int8_t* const levels = levels_.data() + r * n;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    size_t n_moved = 0;
    for (size_t k = 0; k < n; ++k) {
      const float a = scale[k / sub];
      if (a == 0) continue;
      const float* const moments = moments_.row(k);
      const int level =
          nearest_level(format_.level_access.levels, static_cast<float>(levels[k]) - gradient[k] / (moments[k] * a));
      if (level == levels[k]) continue;
      HWY_DYNAMIC_DISPATCH(add_scaled)(moments, static_cast<float>(level - levels[k]) * a, gradient, n);
      levels[k] = static_cast<int8_t>(level);
      ++n_moved;
    }
    if (n_moved == 0) break;
  }
}

void Refiner::refine(const float* rows, size_t n_rows, std::byte* blocks, size_t row_bytes) {
  const size_t n = moments_.n_cols();
  errors_.resize(kRows * n);
  levels_.resize(kRows * n);
  decoded_.resize(n);
  scale_.resize(kRows * (n / format_.level_access.sub));
  min_.resize(kRows * (n / format_.level_access.sub));
  gradient_.assign(kRows * n, 0.0f);
  for (size_t r = 0; r < n_rows; ++r) load_row(rows + r * n, blocks + r * row_bytes, r);
  for (size_t k = 0; k < n; ++k) {
    for (size_t r = 0; r < n_rows; ++r) {
      HWY_DYNAMIC_DISPATCH(add_scaled)(moments_.row(k), errors_[r * n + k], gradient_.data() + r * n, n);
    }
  }
  for (size_t r = 0; r < n_rows; ++r) {
    sweep_row(r);
    for (size_t b = 0; b < n / format_.block_elems; ++b) {
      format_.level_access.put_levels(levels_.data() + r * n + b * format_.block_elems,
                                      blocks + r * row_bytes + b * format_.block_bytes);
    }
  }
}

}  // namespace quern::convert
#endif  // HWY_ONCE
