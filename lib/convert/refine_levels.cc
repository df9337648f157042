// Coordinate descent where every element has a level of its own.
#include <algorithm>
#include <cmath>

#include "lib/convert/refine.h"

namespace quern::convert {
namespace {

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

class LevelRefiner final : public Refiner {
 public:
  LevelRefiner(const quant::FormatInfo& format, const Moments& moments)
      : Refiner(format, moments),
        access_(format.level_access),
        scale_(moments.n_cols() / access_.sub),
        min_(scale_.size()),
        levels_(moments.n_cols()) {}

 private:
  void sweep(const float* decoded, float* gradient, std::byte* blocks) override {
    load(decoded, blocks);
    for (int i = 0; i < kSweeps; ++i) {
      if (!sweep_once(gradient)) break;
    }
    for (size_t b = 0; b < levels_.size() / format_.block_elems; ++b) {
      access_.put_levels(levels_.data() + b * format_.block_elems, blocks + b * format_.block_bytes);
    }
  }

  void load(const float* decoded, const std::byte* blocks) {
    const size_t n = levels_.size(), per_block = format_.block_elems / access_.sub;
    for (size_t b = 0; b < n / format_.block_elems; ++b) {
      access_.scales(blocks + b * format_.block_bytes, scale_.data() + b * per_block, min_.data() + b * per_block);
    }
    for (size_t k = 0; k < n; ++k) {
      const float a = scale_[k / access_.sub], level = a == 0 ? 0 : (decoded[k] + min_[k / access_.sub]) / a;
      levels_[k] = static_cast<int8_t>(nearest_level(access_.levels, level));
    }
  }

  /// Whether anything has moved.
  bool sweep_once(float* gradient) {
    bool moved = false;
    for (size_t k = 0; k < levels_.size(); ++k) {
      const float a = scale_[k / access_.sub];
      if (a == 0) continue;
      const float wished = static_cast<float>(levels_[k]) - gradient[k] / (moments_.row(k)[k] * a);
      const int level = nearest_level(access_.levels, wished);
      if (level == levels_[k]) continue;
      follow(k, static_cast<float>(level - levels_[k]) * a, gradient);
      levels_[k] = static_cast<int8_t>(level);
      moved = true;
    }
    return moved;
  }

  const quant::LevelAccess& access_;
  std::vector<float> scale_, min_;  ///< of the sub-blocks of a row
  std::vector<int8_t> levels_;
};

}  // namespace

std::unique_ptr<Refiner> make_level_refiner(const quant::FormatInfo& format, const Moments& moments) {
  return std::make_unique<LevelRefiner>(format, moments);
}

}  // namespace quern::convert
