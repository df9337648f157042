// The values that the 4-bit codes of bitsandbytes stand for, and the 8-bit codes of its quantized scales.
// Sources: Dettmers et al., QLoRA (arXiv:2305.14314), for NF4 and the quantized scales; Dettmers et al., 8-bit
// Optimizers via Block-wise Quantization (arXiv:2110.02861), for the dynamic map.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace quern::quant {

/// What a 4-bit code stands for, times the largest magnitude of its block; and the same as whole numbers, which is what
/// the CPU's matrix products take: values[q] ~ step * (biased[q] - 128).
struct Codebook4bit {
  std::array<float, 16> values;
  std::array<uint8_t, 16> biased;
  float step;
  float largest_error;  ///< |values[q] - step * (biased[q] - 128)| is at most that
};

/// NF4, "normal floats": quantiles of a normal distribution, increasing.
///
/// The whole numbers and the step are those with the least mean square error over the codes of normally distributed
/// weights, found by trying every stretch of the values to at most 127.5: 0.18 % of the block's largest magnitude (root
/// mean square), while rounding to NF4 itself leaves 3.6 %. Zero and the signs are exact.
alignas(16) inline constexpr Codebook4bit kNf4{
    {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
     -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f,
     0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f},
    {4, 42, 63, 79, 93, 105, 117, 128, 138, 148, 159, 170, 183, 198, 218, 252},
    0.0080570826f,
    0.0036573f};

/// FP4: a sign (bit 3) and 0, 0.0625, 8, 12, 4, 6, 2 or 3 twelfths. All but the smallest are whole multiples of 1 /
/// 120: the mean square error over the codes of normally distributed weights is 0.13 % of the block's largest
/// magnitude, while rounding to FP4 itself leaves 4.7 %.
alignas(16) inline constexpr Codebook4bit kBnbFp4{
    {0.0f, 0.0625f / 12, 8.0f / 12, 1.0f, 4.0f / 12, 6.0f / 12, 2.0f / 12, 3.0f / 12,  //
     -0.0f, -0.0625f / 12, -8.0f / 12, -1.0f, -4.0f / 12, -6.0f / 12, -2.0f / 12, -3.0f / 12},
    {128, 129, 208, 248, 168, 188, 148, 158, 128, 127, 48, 8, 88, 68, 108, 98},
    1.0f / 120,
    0.0031251f};

/// What the codes of quantized scales stand for, increasing: seven powers of ten, each divided more finely than the one
/// below it, both signs, 0 and 1. In float32 where bitsandbytes computes in it.
inline constexpr std::array<float, 256> kDynamicMap = [] {
  std::array<float, 256> map{};
  constexpr double kPowers[7] = {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0};
  size_t n = 0;
  for (int level = 0; level < 7; ++level) {
    const int parts = 1 << level;
    const double step = (1.0 - 0.1) / parts;
    for (int i = 0; i < parts; ++i) {
      const auto low = static_cast<float>(i * step + 0.1);
      const float high = i + 1 == parts ? 1.0f : static_cast<float>((i + 1) * step + 0.1);
      const float value = static_cast<float>(kPowers[level] * static_cast<double>((low + high) / 2));
      map[n++] = value;
      map[n++] = -value;
    }
  }
  map[n++] = 0;
  map[n++] = 1;
  std::sort(map.begin(), map.end());
  return map;
}();

}  // namespace quern::quant
