// A gated delta net (Yang et al. 2024, arXiv 2412.06464) in place of attention: x += W_o (silu(W_z n) * norm(o)) with
// n = norm(x) and o what the delta rule makes of queries, keys and values, W_qkv n after a causal convolution. Queries
// and keys have length 1. The state decays by exp(a ln(1 + exp(W_a n + b))) and learns at the rate sigmoid(W_b n).
#pragma once

#include <span>

#include "lib/model/blocks/block.h"

namespace quern::model {

/// The tokens of a pass, as a recurrent layer sees them.
struct StatePass {
  compute::StateStore& states;  ///< has a layer for each of the model's
  std::span<const compute::StateRun> runs;
};

void delta_net(const Block& block, const StatePass& pass, compute::Mat x);

/// A model's recurrent layers; no layers at all where it has none.
compute::StateShape state_shape(const Hparams& hparams);

}  // namespace quern::model
