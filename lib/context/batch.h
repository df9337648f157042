// A batch of tokens: checked, given places in the caches, and cut into passes through the model.
#pragma once

#include <quern/context.h>

#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/context/cache.h"
#include "lib/context/sequence.h"

namespace quern::context {

/// Tokens in the vocabulary, sequences that exist, positions that grow within each sequence. Errc::argument names the
/// entry.
Status validate(std::span<const BatchToken> batch, std::span<const Sequence> sequences, uint32_t n_vocab);

/// How many tokens of a batch a sequence has.
struct Share {
  int32_t sequence = 0;
  uint32_t n_tokens = 0;
};
/// One entry for each sequence that has any, in the order of their ids.
std::vector<Share> shares_of(std::span<const BatchToken> batch, size_t n_sequences);

/// The batch with its cells: one entry per token. With windows the second set, filled pass by pass.
struct PlacedBatch {
  std::vector<int32_t> tokens, positions;
  std::vector<uint32_t> slots, window_slots;
  std::vector<compute::AttentionRow> rows, window_rows;
  std::vector<uint32_t> outputs;  ///< increasing numbers of the tokens whose logits are wanted
};

/// Appends every token of a validated batch to its sequence, all or nothing, in the layers that see everything. Each
/// token attends to its sequence up to itself, and in layers with a window to the last so many positions of it. The
/// attention rows point into the sequences' block tables: valid until these change.
Result<PlacedBatch> place(std::span<const BatchToken> batch, std::span<Sequence> sequences, Cache& cache);

/// The tokens of a pass by sequence, as recurrent layers take them.
struct StateRows {
  std::vector<std::vector<uint32_t>> rows;
  std::vector<compute::StateRun> runs;  ///< point into rows
};
/// The caller rolls back if it fails.
Result<StateRows> place_states(std::span<const BatchToken> pass, std::span<Sequence> sequences, Cache& cache);

/// Appends the tokens [begin, begin + count) to the layers with a window: just before their pass, so that a long batch
/// takes no more blocks than a window and a pass need. The caller rolls back if it fails.
Status place_window(std::span<const BatchToken> batch, size_t begin, size_t count, std::span<Sequence> sequences,
                    Cache& cache, PlacedBatch& placed);

}  // namespace quern::context
