#include "lib/cpu/kernels/route.h"

#include <algorithm>
#include <cmath>

namespace quern::cpu {
namespace {

/// Turns scores into weights that sum up to one.
void softmax(std::span<float> x) {
  const float highest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (float& value : x) sum += value = std::exp(value - highest);
  for (float& value : x) value = static_cast<float>(value / sum);
}

}  // namespace

// Scalar: rows have at most some hundred experts, of which a few are chosen.
void route_row(std::span<const float> scores, const compute::Routing& routing, std::span<float> experts, float* weights,
               std::vector<float>& memory) {
  const size_t n = scores.size(), n_chosen = experts.size();
  memory.resize(2 * n);
  const std::span<float> left(memory.data(), n), values(memory.data() + n, n);
  for (size_t i = 0; i < n; ++i) left[i] = scores[i] > -INFINITY ? scores[i] : -INFINITY;
  std::copy(scores.begin(), scores.end(), values.begin());
  if (routing.gating == compute::Gating::softmax) softmax(values);
  if (routing.gating == compute::Gating::sigmoid) {
    for (float& value : values) value = 1 / (1 + std::exp(-value));
  }
  constexpr float kTaken = NAN;  // below every comparison
  for (size_t j = 0; j < n_chosen; ++j) {
    size_t best = n;
    for (size_t i = 0; i < n; ++i) {
      if (!std::isnan(left[i]) && (best == n || left[i] > left[best])) best = i;
    }
    left[best] = kTaken;
    experts[j] = static_cast<float>(best);
    weights[j] = values[best];
  }
  const std::span<float> chosen(weights, n_chosen);
  if (routing.gating == compute::Gating::softmax_of_chosen) softmax(chosen);
  float factor = routing.scale;
  if (routing.normalize) {
    float sum = 0;
    for (const float weight : chosen) sum += weight;
    factor /= std::max(sum, 0x1p-14f);
  }
  for (float& weight : chosen) weight *= factor;
}

}  // namespace quern::cpu
