// What a sequence forgets as it grows, and the points that it can go back to all the same.
#pragma once

#include <cstdint>
#include <utility>

#include "lib/context/block_table.h"
#include "lib/context/cache.h"

namespace quern::context {

/// What a sequence has beside the keys and values of the layers that see everything: what only its latest tokens, or
/// its length, make it. Shared by counting users: a copy must hold(), and release() in the end.
struct Recent {
  BlockTable window;                     ///< keys and values of the layers with a sliding window
  uint32_t state = compute::kZeroState;  ///< the slot of the state of recurrent layers

  void hold(Cache& cache) const {
    if (cache.window_pool) window.hold(*cache.window_pool);
    if (cache.state_pool) cache.state_pool->share(state);
  }
  void release(Cache& cache) {
    if (cache.window_pool) window.clear(*cache.window_pool);
    if (cache.state_pool) cache.state_pool->release(std::exchange(state, compute::kZeroState));
  }
};

/// A sequence as it was when it had that many cells.
struct Checkpoint {
  uint32_t n_cells = 0;
  Recent recent;
};

}  // namespace quern::context
