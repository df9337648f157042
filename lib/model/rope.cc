#include "lib/model/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace quern::model {
namespace {

/// The (fractional) pair that turns `rotations` times over the original context.
double pair_turning(double rotations, const RopeParams& params, uint32_t n_rot) {
  const double turns = params.original_context / (rotations * 2 * std::numbers::pi);
  return n_rot * std::log(turns) / (2 * std::log(params.base));
}

/// YaRN's share of the scaled angle for each pair: 0 below `low`, 1 above `high`, linear between.
std::vector<double> scaled_share(const RopeParams& params, uint32_t n_rot) {
  const double low = std::max(0.0, std::floor(pair_turning(params.beta_fast, params, n_rot)));
  const double high = std::min(n_rot - 1.0, std::ceil(pair_turning(params.beta_slow, params, n_rot)));
  std::vector<double> share(n_rot / 2);
  for (size_t i = 0; i < share.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / std::max(0.001, high - low), 0.0, 1.0);
    share[i] = 1 - (1 - ramp) * params.ext_factor;
  }
  return share;
}

}  // namespace

RopeTable::RopeTable(const RopeParams& params, uint32_t n_rot, std::span<const float> divisors)
    : inv_freq_(n_rot / 2), magnitude_(params.attn_factor) {
  for (size_t i = 0; i < inv_freq_.size(); ++i) {
    inv_freq_[i] = std::pow(params.base, -2.0 * static_cast<double>(i) / n_rot);
    if (!divisors.empty()) inv_freq_[i] /= divisors[i];
  }
  if (params.scaling == RopeScaling::linear) {
    for (double& f : inv_freq_) f /= params.factor;
  } else if (params.scaling == RopeScaling::yarn) {
    const std::vector<double> share = scaled_share(params, n_rot);
    for (size_t i = 0; i < inv_freq_.size(); ++i) inv_freq_[i] *= share[i] / params.factor + (1 - share[i]);
    const double log_factor = 0.1 * std::log(params.factor);
    if (params.ext_factor > 0) magnitude_ *= (log_factor + 1) / (params.log_multiplier * log_factor + 1);
  }
}

void RopeTable::fill(std::span<const int32_t> positions, std::span<float> out) const {
  const size_t half = inv_freq_.size();
  float* row = out.data();
  for (const int32_t position : positions) {
    for (size_t i = 0; i < half; ++i) {
      const double angle = position * inv_freq_[i];
      row[i] = static_cast<float>(magnitude_ * std::cos(angle));
      row[half + i] = static_cast<float>(magnitude_ * std::sin(angle));
    }
    row += 2 * half;
  }
}

}  // namespace quern::model
