// The feed-forward block: x += W_down (silu(W_gate n) * W_up n) with n = norm(x). Shazeer 2020 (arXiv 2002.05202).
#pragma once

#include "lib/model/blocks/block.h"

namespace quern::model {

void feed_forward(const Block& block, compute::Mat x);

}  // namespace quern::model
