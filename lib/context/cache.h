// What the sequences of a context are kept in.
#pragma once

#include <cstdint>
#include <memory>

#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/context/block_pool.h"
#include "lib/context/state_pool.h"
#include "lib/model/kv_map.h"

namespace quern::context {

/// Positions that a sequence can go back by without a checkpoint: layers with a sliding window keep so many more.
inline constexpr uint32_t kWindowSlack = 64;
/// Cells from one checkpoint to the next within a long text.
inline constexpr uint32_t kCheckpointStep = 8192;
/// What the checkpoints of one sequence may take of memory in states of recurrent layers; two of them may in any case.
inline constexpr uint64_t kCheckpointStateBytes = uint64_t{512} << 20;

/// No store for a shape without layers.
Result<std::unique_ptr<compute::KvStore>> make_store(compute::Backend& backend, const compute::KvShape& shape);

struct CacheOptions {
  compute::KvType type_k = compute::KvType::f16, type_v = compute::KvType::f16;
  uint32_t n_ctx = 0, n_seq_max = 1;
  uint32_t n_pass = 1;         ///< tokens of one pass
  uint32_t n_checkpoints = 0;  ///< of one sequence
  uint32_t window = 0;         ///< positions
  compute::StateShape states;  ///< of recurrent layers; without layers where the model has none
};

/// Two caches, for the layers that see everything and for those with a sliding window. The first is there even if it
/// has no layers: its blocks, which then hold nothing, count the cells of the sequences.
struct Cache {
  /// `quantized`: the weights of any product are.
  static Result<Cache> create(compute::Backend& backend, const model::KvMap& map, bool quantized,
                              const CacheOptions& options);
  /// The memory of one that is full, with all its checkpoints.
  static Result<uint64_t> needed_bytes(compute::Backend& backend, const model::KvMap& map, bool quantized,
                                       const CacheOptions& options);

  /// False where a sequence can be cut anywhere, so that checkpoints are of no use.
  bool forgets() const { return window_pool != nullptr || state_pool != nullptr; }
  uint64_t size_bytes() const {
    return pool->size_bytes() + (window_pool ? window_pool->size_bytes() : 0) +
           (state_pool ? state_pool->size_bytes() : 0);
  }
  model::KvStores stores() const { return {store.get(), window_store.get()}; }

  std::unique_ptr<compute::KvStore> store;         ///< may be missing
  std::unique_ptr<compute::KvStore> window_store;  ///< may be missing
  std::unique_ptr<BlockPool> pool;
  std::unique_ptr<BlockPool> window_pool;  ///< missing where no layer has a window
  std::unique_ptr<StatePool> state_pool;   ///< missing where no layer is recurrent
  uint32_t window = 0;                     ///< positions; of no meaning where no layer has one
  uint32_t n_checkpoints = 0;
};

}  // namespace quern::context
