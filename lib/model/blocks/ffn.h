// The feed-forward block: x += W_down (f(W_gate n) * W_up n) with n = norm(x). Shazeer 2020 (arXiv 2002.05202). Or
// without a gate: x += W_down gelu(W_up n).
#pragma once

#include "lib/model/blocks/block.h"

namespace quern::model {

void feed_forward(const Block& block, compute::Mat x);

struct GatedSlots {
  arch::Slot gate, up, down;
  arch::Slot gate_bias, up_bias, down_bias;  ///< or Slot::none
};
/// out = W_down (f(W_gate in) * W_up in); out may be in.
void gated_product(const Block& block, const GatedSlots& slots, uint64_t n_ff, compute::Mat in, compute::Mat out);

}  // namespace quern::model
