#include "lib/quant/importance.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace quern::quant {

void weigh(const float* row, const float* importance, std::vector<float>& out) {
  double squares = 0;
  for (size_t i = 0; i < out.size(); ++i) squares += static_cast<double>(row[i]) * row[i];
  const auto floor = static_cast<float>(2 * squares / static_cast<double>(out.size()));
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = std::sqrt(floor + row[i] * row[i]) * (importance != nullptr ? importance[i] : 1.0f);
  }
}

size_t first_not_finite(const float* x, size_t n) {
  constexpr uint32_t kExponent = 0x7F800000;
  uint32_t found = 0;
  for (size_t i = 0; i < n; ++i) found |= (std::bit_cast<uint32_t>(x[i]) & kExponent) == kExponent;
  if (found == 0) return n;
  size_t i = 0;
  while ((std::bit_cast<uint32_t>(x[i]) & kExponent) != kExponent) ++i;
  return i;
}

}  // namespace quern::quant
