// The feed-forward block as a mixture of experts (Shazeer et al. 2017, arXiv 1701.06538): each token goes through the
// few experts that a router chooses for it, x += sum_e w_e W_down_e (f(W_gate_e n) * W_up_e n) with n = norm(x), and
// maybe through one that all tokens share, which a score of its own may weight, or through a feed-forward block of the
// layer, which then has norms of its own.
#pragma once

#include "lib/model/blocks/block.h"

namespace quern::model {

void mixture_of_experts(const Block& block, compute::Mat x);

}  // namespace quern::model
