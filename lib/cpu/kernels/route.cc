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

/// The place of the highest number; what is not a number is left out. x.size() if there is none.
size_t place_of_highest(std::span<const float> x) {
  size_t best = x.size();
  for (size_t i = 0; i < x.size(); ++i) {
    if (!std::isnan(x[i]) && (best == x.size() || x[i] > x[best])) best = i;
  }
  return best;
}

constexpr float kTaken = NAN;

float sum_of_highest_two(std::span<const float> x) {
  const size_t best = place_of_highest(x);
  float second = -INFINITY;
  for (size_t i = 0; i < x.size(); ++i) {
    if (i != best) second = std::max(second, x[i]);
  }
  return x[best] + (x.size() > 1 ? second : 0);
}

/// Takes the groups that are not used out of the choice. sums: one for each group.
void drop_groups(std::span<float> choice, const compute::Routing& routing, std::span<float> sums) {
  const size_t size = choice.size() / routing.n_groups;
  for (size_t g = 0; g < sums.size(); ++g) sums[g] = sum_of_highest_two(choice.subspan(g * size, size));
  for (uint32_t i = 0; i < routing.n_groups_used; ++i) sums[place_of_highest(sums)] = kTaken;
  for (size_t g = 0; g < sums.size(); ++g) {
    if (!std::isnan(sums[g])) std::fill_n(choice.begin() + static_cast<ptrdiff_t>(g * size), size, kTaken);
  }
}

}  // namespace

// Scalar: rows have at most some hundred experts, of which a few are chosen.
void route_row(std::span<const float> scores, const compute::Routing& routing, const float* choice_bias,
               std::span<float> experts, float* weights, std::vector<float>& memory) {
  const size_t n = scores.size();
  memory.resize(2 * n + routing.n_groups);
  const std::span<float> choice(memory.data(), n), values(memory.data() + n, n);
  std::copy(scores.begin(), scores.end(), values.begin());
  if (routing.gating == compute::Gating::softmax) softmax(values);
  if (routing.gating == compute::Gating::sigmoid) {
    for (float& value : values) value = 1 / (1 + std::exp(-value));
  }
  const bool by_weight = choice_bias != nullptr || routing.n_groups > 1;
  for (size_t i = 0; i < n; ++i) {
    const float value = by_weight ? values[i] + (choice_bias ? choice_bias[i] : 0) : scores[i];
    choice[i] = value > -INFINITY ? value : -INFINITY;
  }
  if (routing.n_groups > 1) drop_groups(choice, routing, std::span(memory).subspan(2 * n, routing.n_groups));
  for (size_t j = 0; j < experts.size(); ++j) {
    const size_t best = place_of_highest(choice);
    choice[best] = kTaken;
    experts[j] = static_cast<float>(best);
    weights[j] = values[best];
  }
  const std::span<float> chosen(weights, experts.size());
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
