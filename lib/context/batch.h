// A batch of tokens: checked, given places in the cache, and cut into passes through the model.
#pragma once

#include <quern/context.h>

#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/context/block_pool.h"
#include "lib/context/sequence.h"

namespace quern::context {

/// Tokens in the vocabulary, sequences that exist, positions that grow within each sequence. Errc::argument names the
/// entry.
Status validate(std::span<const BatchToken> batch, std::span<const Sequence> sequences, uint32_t n_vocab);

/// The batch with its cells: one entry per token.
struct PlacedBatch {
  std::vector<int32_t> tokens, positions;
  std::vector<uint32_t> slots;
  std::vector<compute::AttentionRow> rows;
  std::vector<compute::AttentionRow> window_rows;  ///< within the window, where there is one
  std::vector<uint32_t> outputs;                   ///< increasing numbers of the tokens whose logits are wanted
};

/// Appends every token of a validated batch to its sequence, all or nothing. Each token attends to its sequence up to
/// itself; with a window (0: none) also to the last so many positions of it. The attention rows point into the
/// sequences' block tables: valid until these change.
Result<PlacedBatch> place(std::span<const BatchToken> batch, std::span<Sequence> sequences, uint32_t window,
                          BlockPool& pool);

}  // namespace quern::context
