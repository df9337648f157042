// Where the cells of one sequence are in one cache: its blocks, in the order of the cells.
//
// Cells are counted from the sequence's beginning and fill the blocks densely: attention combines keys block by block,
// so the place of a cell is part of the results. Removing from the middle therefore moves the cells behind. Blocks at
// the front may be given back; the table keeps their entries, so that the others stay where they are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/context/block_pool.h"

namespace quern::context {

inline uint32_t blocks_for(uint32_t cells) {
  return cells / compute::kKvBlockTokens + (cells % compute::kKvBlockTokens != 0 ? 1 : 0);
}

/// Holds blocks of the pool that its methods are given, which must always be the same one; clear() gives them back, the
/// destructor does not. A copy holds nothing until hold().
class BlockTable {
 public:
  static constexpr uint32_t kHole = UINT32_MAX;  ///< the entry of a block that was given back

  /// The cells [first, size) are there.
  uint32_t first() const { return first_; }
  uint32_t size() const { return size_; }
  std::span<const uint32_t> blocks() const { return blocks_; }
  uint32_t slot(uint32_t cell) const;

  /// Blocks that `n` times append() takes from the pool, at most.
  uint32_t blocks_to_append(const BlockPool& pool, uint32_t n) const;
  /// Adds one cell and returns its number. On an error nothing changes.
  Result<uint32_t> append(BlockPool& pool);
  /// Forgets the cells from number `n_cells` on.
  void truncate(BlockPool& pool, uint32_t n_cells);
  /// Gives back the blocks whose cells are all before number `cell`.
  void drop_before(BlockPool& pool, uint32_t cell);
  /// Blocks that remove() takes from the pool.
  uint32_t blocks_to_remove(const BlockPool& pool, uint32_t begin, uint32_t end) const;
  /// Forgets the cells [begin, end), begin < end <= size(). Errors only where blocks are taken; then nothing changes.
  Status remove(BlockPool& pool, uint32_t begin, uint32_t end);
  /// Counts one more user of each block: this is a copy of a table that stays.
  void hold(BlockPool& pool) const;
  /// Becomes a table of the cells [first, size), in blocks of its own. Cannot fail where the pool has reserved them,
  /// the table's present blocks included, and make_room() was called.
  Status assign(BlockPool& pool, uint32_t first, uint32_t size);
  void make_room(uint32_t n_cells) { blocks_.reserve(blocks_for(n_cells)); }
  void clear(BlockPool& pool) { truncate(pool, 0); }

 private:
  Status make_exclusive(BlockPool& pool, size_t index);
  /// The blocks that cells move into when [begin, end) are removed, as a range of entries, and the first cell that
  /// moves.
  struct Move {
    uint32_t from, first_block, end_block;
  };
  Move move_of(uint32_t begin, uint32_t end) const;

  std::vector<uint32_t> blocks_;
  uint32_t first_ = 0, size_ = 0;
};

}  // namespace quern::context
