// One sequence of the cache: its block table and the positions of its cells.
//
// Cells fill the blocks densely from the first one, in the order of positions: attention combines keys block by block,
// so the place of a cell is part of the results. Removing from the middle therefore moves the cells behind.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/context/block_pool.h"

namespace quern::context {

/// Holds blocks of the pool that its methods are given, which must always be the same one; clear() gives them back, the
/// destructor does not.
class Sequence {
 public:
  uint32_t size() const { return static_cast<uint32_t>(positions_.size()); }
  bool empty() const { return positions_.empty(); }
  std::span<const int32_t> positions() const { return positions_; }
  std::span<const uint32_t> blocks() const { return blocks_; }
  int32_t next_position() const { return empty() ? 0 : positions_.back() + 1; }
  uint32_t slot(uint32_t cell) const;

  /// Adds one cell and returns its number. On an error nothing changes.
  Result<uint32_t> append(BlockPool& pool, int32_t position);
  /// Forgets the cells from number `n_cells` on.
  void truncate(BlockPool& pool, uint32_t n_cells);
  /// Forgets the cells at positions [from, to). Errors only where shared blocks must be copied; then nothing changes.
  Status remove(BlockPool& pool, int32_t from, int32_t to);
  /// Becomes a copy of `other`, in the same blocks.
  void share(BlockPool& pool, const Sequence& other);
  void clear(BlockPool& pool) { truncate(pool, 0); }

  /// Number of cells at positions below `position`.
  uint32_t cells_before(int32_t position) const;

 private:
  Status make_exclusive(BlockPool& pool, size_t index);

  std::vector<uint32_t> blocks_;
  std::vector<int32_t> positions_;
};

}  // namespace quern::context
