// Inputs of the single layers (Gemma 3n's and 4's "per-layer embeddings", Gemma Team 2025): of every token each layer
// gets a short vector of its own,
//   p = (sqrt(length) E_token + norm(W x_0 / sqrt(width))) / sqrt(2)      x_0: the token's embedding
// and behind its feed-forward block adds x += norm(W_out (gelu(W_gate x) * p)). E is a large table of which a token
// needs one row: it stays in the file.
#pragma once

#include <cstdint>
#include <span>

#include "lib/model/blocks/block.h"

namespace quern::model {

/// The vectors of all layers, one behind the other, for each token. `x` holds the tokens' embeddings.
compute::Mat layer_inputs(const Block& block, std::span<const int32_t> tokens, compute::Mat x);

/// What the block's layer makes of its part of them.
void add_layer_input(const Block& block, compute::Mat of_layers, compute::Mat x);

}  // namespace quern::model
