// The attention block: x += W_o attention(rope(W_q n), rope(W_k n), W_v n) with n = norm(x). Some models normalize the
// heads of queries and keys before they rotate them, and what is added. How queries, keys and values come about is the
// mechanism's part (attention_kind.h).
#pragma once

#include <span>

#include "lib/model/blocks/block.h"

namespace quern::model {

/// The tokens of a pass, as attention sees them.
struct AttentionPass {
  compute::KvStore* kv;                         ///< the layer's cache
  uint32_t kv_layer;                            ///< the layer's number in it
  std::span<const uint32_t> slots;              ///< where each row's key and value go
  std::span<const compute::AttentionRow> rows;  ///< what each row attends to
  compute::Mat cos_sin;                         ///< each row's rotary angles; none where the layer does not rotate
  compute::Mat warmth;                          ///< each row's factor of its queries; none where there is none
  compute::Mat heads;                           ///< latent attention: in each row the numbers 0 ... n_head - 1
};

/// All rows of x.
void attention(const Block& block, const AttentionPass& pass, compute::Mat x);

/// Stores the keys and values of all rows of x, but attends with the rows `picked` (increasing) alone, for which there
/// is a pass of their own. Returns their residual stream, in the workspace's own matrix.
compute::Mat attention_of_picked(const Block& block, const AttentionPass& all, const AttentionPass& of_picked,
                                 compute::Mat x, std::span<const uint32_t> picked);

}  // namespace quern::model
