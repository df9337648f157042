#include "lib/context/sequence.h"

#include <algorithm>

namespace quern::context {

using compute::kKvBlockTokens;

namespace {
uint32_t blocks_for(uint32_t cells) { return (cells + kKvBlockTokens - 1) / kKvBlockTokens; }
}  // namespace

uint32_t Sequence::slot(uint32_t cell) const {
  return blocks_[cell / kKvBlockTokens] * kKvBlockTokens + cell % kKvBlockTokens;
}

uint32_t Sequence::cells_before(int32_t position) const {
  return static_cast<uint32_t>(std::lower_bound(positions_.begin(), positions_.end(), position) - positions_.begin());
}

Status Sequence::make_exclusive(BlockPool& pool, size_t index) {
  if (!pool.shared(blocks_[index])) return {};
  QUERN_TRY(const uint32_t copy, pool.allocate());
  pool.store().copy_block(blocks_[index], copy);
  pool.release(blocks_[index]);
  blocks_[index] = copy;
  return {};
}

Result<uint32_t> Sequence::append(BlockPool& pool, int32_t position) {
  if (size() % kKvBlockTokens == 0) {
    // Room first: an allocated block must not be lost to a vector that cannot grow.
    if (blocks_.size() == blocks_.capacity()) blocks_.reserve(2 * blocks_.size() + 1);
    QUERN_TRY(const uint32_t block, pool.allocate());
    blocks_.push_back(block);
  } else {
    QUERN_CHECK(make_exclusive(pool, blocks_.size() - 1));
  }
  positions_.push_back(position);
  return size() - 1;
}

void Sequence::truncate(BlockPool& pool, uint32_t n_cells) {
  const uint32_t keep = blocks_for(n_cells);
  for (size_t i = keep; i < blocks_.size(); ++i) pool.release(blocks_[i]);
  blocks_.resize(keep);
  positions_.resize(n_cells);
}

Status Sequence::remove(BlockPool& pool, int32_t from, int32_t to) {
  const uint32_t begin = cells_before(from), end = cells_before(to), n = size();
  if (begin >= end) return {};
  const uint32_t left = n - (end - begin);
  // Blocks that are written to: from the first removed cell to the last one that remains, if any cell moves.
  if (end < n) {
    const size_t first = begin / kKvBlockTokens, last = (left - 1) / kKvBlockTokens;
    uint32_t copies = 0;
    for (size_t i = first; i <= last; ++i) copies += pool.shared(blocks_[i]) ? 1 : 0;
    QUERN_CHECK(pool.reserve(copies));
    for (size_t i = first; i <= last; ++i) QUERN_CHECK(make_exclusive(pool, i));
    for (uint32_t cell = end; cell < n; ++cell) pool.store().move_slot(slot(cell), slot(cell - (end - begin)));
    std::copy(positions_.begin() + end, positions_.end(), positions_.begin() + begin);
  }
  truncate(pool, left);
  return {};
}

void Sequence::share(BlockPool& pool, const Sequence& other) {
  if (this == &other) return;
  clear(pool);
  for (const uint32_t block : other.blocks_) pool.share(block);
  blocks_ = other.blocks_;
  positions_ = other.positions_;
}

}  // namespace quern::context
