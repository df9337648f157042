// The choice of a token's experts.
#pragma once

#include <span>
#include <vector>

#include "lib/compute/ops.h"

namespace quern::cpu {

/// One row of compute::Stream::route: the experts.size() experts with the highest scores. A score that is not a number
/// counts as the lowest. choice_bias: the elements of Routing::choice_bias, or nullptr. `memory` is working memory.
void route_row(std::span<const float> scores, const compute::Routing& routing, const float* choice_bias,
               std::span<float> experts, float* weights, std::vector<float>& memory);

}  // namespace quern::cpu
