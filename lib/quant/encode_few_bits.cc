// Quantizing into the formats of one scale per block and at most four levels: Q1_0, Q2_0, TQ1_0, TQ2_0.
//
// So few levels allow the least squares to be found without a search. While the scale falls from infinity to zero, the
// level of each element leaves 0 and grows in steps; between two steps of any element all levels stay the same, and the
// best scale for them follows from two sums. Going through the steps in order visits every choice of levels that a
// scale can lead to.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <span>

#include "lib/quant/all_formats-inl.h"

namespace quern::quant {
namespace {

/// The least-squares sums of value = scale * level: of w * x * level and of w * level^2.
struct Sums {
  double xl = 0, ll = 0;

  double gain() const { return ll > 0 ? xl * xl / ll : 0; }  ///< what the best scale takes off the sum of w * x^2
  double scale() const { return ll > 0 ? xl / ll : 0; }
};

/// A scale for levels -1 .. kHigh, and how good it is.
struct Fit {
  double scale = 0, gain = 0;
};

/// The best positive scale for sign * x.
template <int kHigh, size_t kSize>
Fit fit_levels(const float* x, const float* weights, float sign) {
  // A step: the scale at which it happens (bits of a float, so that they compare as whole numbers), what level it leads
  // to, which element. All differ, so there is one order.
  std::array<uint64_t, kSize * kHigh> steps;
  size_t n_steps = 0;
  for (size_t e = 0; e < kSize; ++e) {
    const float size = std::fabs(x[e]);
    if (size == 0) continue;
    const int end = sign * x[e] > 0 ? kHigh : 1;
    for (int level = 1; level <= end; ++level) {
      const float at = size / (static_cast<float>(level) - 0.5f);
      steps[n_steps++] = static_cast<uint64_t>(std::bit_cast<uint32_t>(at)) << 32 | static_cast<uint64_t>(level) << 16 |
                         static_cast<uint64_t>(e);
    }
  }
  std::sort(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(n_steps), std::greater<>());
  Fit best;
  Sums sums;
  for (const uint64_t step : std::span(steps).first(n_steps)) {
    const size_t e = step & 0xFFFF;
    const double w = weights == nullptr ? 1 : weights[e], level = static_cast<double>(step >> 16 & 0xFFFF);
    sums.xl += w * std::fabs(x[e]);
    sums.ll += w * (2 * level - 1);  // level^2 - (level - 1)^2
    if (sums.gain() > best.gain) best = {sums.scale(), sums.gain()};
  }
  return best;
}

/// The half-precision number nearest to v that is finite.
uint16_t half_of(double v) {
  constexpr double kLargest = 65504;
  return base::f32_to_f16(static_cast<float>(std::clamp(v, -kLargest, kLargest)));
}

/// Levels -1 .. kHigh: the nearest ones.
template <int kHigh>
void choose_levels(const float* x, size_t n, uint16_t half, int8_t* levels) {
  const float scale = base::f16_to_f32(half);
  for (size_t e = 0; e < n; ++e) {
    const float level = scale == 0 ? 0 : std::nearbyint(x[e] / scale);
    levels[e] = static_cast<int8_t>(std::clamp(level, -1.0f, static_cast<float>(kHigh)));
  }
}

/// kSigned: the scale may be negative.
template <class Format, int kHigh, bool kSigned>
void encode_levels(const float* x, const float* weights, size_t n, std::byte* blocks) {
  constexpr size_t kSize = Format::kBlockElems;
  int8_t levels[kSize];
  for (size_t i = 0; i < n; i += kSize, blocks += sizeof(typename Format::Block)) {
    const float* w = weights == nullptr ? nullptr : weights + i;
    Fit fit = fit_levels<kHigh, kSize>(x + i, w, 1.0f);
    if constexpr (kSigned) {
      const Fit other = fit_levels<kHigh, kSize>(x + i, w, -1.0f);
      if (other.gain > fit.gain) fit = {-other.scale, other.gain};
    }
    const uint16_t half = half_of(fit.scale);
    choose_levels<kHigh>(x + i, kSize, half, levels);
    typename Format::Block block;
    Format::pack(levels, half, block);
    store(block, blocks);
  }
}

}  // namespace

void Q2_0::encode(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_levels<Q2_0, 2, true>(x, weights, n, blocks);
}
void TQ1_0::encode(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_levels<TQ1_0, 1, false>(x, weights, n, blocks);
}
void TQ2_0::encode(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_levels<TQ2_0, 1, false>(x, weights, n, blocks);
}

void Q1_0::encode(const float* x, const float* weights, size_t n, std::byte* blocks) {
  for (size_t i = 0; i < n; i += kBlockElems, blocks += sizeof(Block)) {
    Sums sums;
    int8_t levels[kBlockElems];
    for (size_t e = 0; e < kBlockElems; ++e) {
      const double w = weights == nullptr ? 1 : weights[i + e];
      sums.xl += w * std::fabs(x[i + e]);
      sums.ll += w;
      levels[e] = x[i + e] < 0 ? -1 : 1;
    }
    Block block;
    pack(levels, half_of(sums.scale()), block);
    store(block, blocks);
  }
}

}  // namespace quern::quant
