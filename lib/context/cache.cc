#include "lib/context/cache.h"

#include <algorithm>

#include "lib/base/checked.h"
#include "lib/context/block_table.h"

namespace quern::context {

using model::KvSpan;

Result<std::unique_ptr<compute::KvStore>> make_store(compute::Backend& backend, const compute::KvShape& shape) {
  if (shape.layers.empty()) return std::unique_ptr<compute::KvStore>();
  return backend.make_kv_store(shape);
}

namespace {

/// Each sequence leaves its last block partly empty: one block more for each but one lets n_ctx tokens fit however they
/// are spread.
uint32_t n_blocks(const CacheOptions& options) { return blocks_for(options.n_ctx) + options.n_seq_max - 1; }

/// Blocks of layers with a window are taken for cells that the other table counts too, or as the copy of the last block
/// of a checkpoint: of those that a sequence has, takes during a call, or goes back to if the call fails.
uint32_t n_window_blocks(const CacheOptions& options) {
  constexpr uint64_t kMaxBlocks = UINT32_MAX / compute::kKvBlockTokens;
  const uint64_t copies = uint64_t{options.n_seq_max} * (2 * uint64_t{options.n_checkpoints} + 2);
  return static_cast<uint32_t>(std::min(n_blocks(options) + copies, kMaxBlocks));
}

/// What a sequence really has of them: a window that a pass moves, what a failing call goes back to, the checkpoints.
/// Any of these may begin and end within a block.
uint64_t window_blocks_needed(const CacheOptions& options) {
  const uint64_t kept = uint64_t{options.window} + kWindowSlack, block = compute::kKvBlockTokens;
  const uint64_t each = kept / block + 2, moving = (kept + options.n_pass) / block + 2;
  const uint64_t most = options.n_seq_max * (moving + each + options.n_checkpoints * each);
  return std::min<uint64_t>(most, n_window_blocks(options));
}

uint32_t checkpoints_with(uint64_t state_bytes, uint32_t wanted) {
  const uint64_t fit = std::max<uint64_t>(2, kCheckpointStateBytes / std::max<uint64_t>(state_bytes, 1));
  return static_cast<uint32_t>(std::min<uint64_t>(wanted, fit));
}

}  // namespace

Result<Cache> Cache::create(compute::Backend& backend, const model::KvMap& map, bool quantized,
                            const CacheOptions& options) {
  Cache cache;
  cache.window = options.window;
  cache.n_checkpoints = options.n_checkpoints;
  const auto shape = [&](KvSpan span) { return map.shape(span, quantized, options.type_k, options.type_v); };
  QUERN_TRY(cache.store, make_store(backend, shape(KvSpan::all)));
  QUERN_TRY(cache.window_store, make_store(backend, shape(KvSpan::window)));
  cache.pool = std::make_unique<BlockPool>(cache.store.get(), n_blocks(options));
  if (cache.window_store != nullptr)
    cache.window_pool = std::make_unique<BlockPool>(cache.window_store.get(), n_window_blocks(options));
  if (!options.states.layers.empty()) {
    QUERN_TRY(auto states, backend.make_state_store(options.states));
    cache.n_checkpoints = checkpoints_with(states->slot_bytes(), cache.n_checkpoints);
    cache.state_pool = std::make_unique<StatePool>(std::move(states));
  }
  return cache;
}

Result<uint64_t> Cache::needed_bytes(compute::Backend& backend, const model::KvMap& map, bool quantized,
                                     const CacheOptions& options) {
  constexpr uint64_t kBeyondAll = uint64_t{1} << 62;  // where a file asks for more than 64 bits can count
  QUERN_TRY(const Cache cache, create(backend, map, quantized, options));
  uint64_t sum = 0;
  const auto add = [&](const compute::KvStore* store, uint64_t blocks) {
    if (store == nullptr) return;
    const uint64_t bytes = base::checked_mul(blocks, store->block_bytes()).value_or(kBeyondAll);
    sum = std::min(sum + std::min(bytes, kBeyondAll), kBeyondAll);
  };
  add(cache.store.get(), n_blocks(options));
  add(cache.window_store.get(), window_blocks_needed(options));
  if (cache.state_pool) {  // a sequence's own, the one that a call writes, the checkpoints
    const uint64_t slots = options.n_seq_max * (2 + uint64_t{cache.n_checkpoints});
    const uint64_t bytes = base::checked_mul(slots, cache.state_pool->store().slot_bytes()).value_or(kBeyondAll);
    sum = std::min(sum + std::min(bytes, kBeyondAll), kBeyondAll);
  }
  return sum;
}

}  // namespace quern::context
