#include "lib/context/block_table.h"

#include <algorithm>

namespace quern::context {

using compute::kKvBlockTokens;

uint32_t BlockTable::slot(uint32_t cell) const {
  return blocks_[cell / kKvBlockTokens] * kKvBlockTokens + cell % kKvBlockTokens;
}

/// The entry becomes a block of the sequence's own.
Status BlockTable::make_exclusive(BlockPool& pool, size_t index) {
  uint32_t& entry = blocks_[index];
  if (entry != kHole && !pool.shared(entry)) return {};
  QUERN_TRY(const uint32_t block, pool.allocate());
  if (entry != kHole) {
    pool.copy_block(entry, block);
    pool.release(entry);
  }
  entry = block;
  return {};
}

uint32_t BlockTable::blocks_to_append(const BlockPool& pool, uint32_t n) const {
  if (n == 0) return 0;
  const auto have = static_cast<uint32_t>(blocks_.size());
  const bool open = size_ % kKvBlockTokens != 0;
  const bool taken = open && (blocks_.back() == kHole || pool.shared(blocks_.back()));
  return blocks_for(size_ + n) - have + (taken ? 1 : 0);
}

Result<uint32_t> BlockTable::append(BlockPool& pool) {
  if (size_ % kKvBlockTokens == 0) {
    // Room first: an allocated block must not be lost to a vector that cannot grow.
    if (blocks_.size() == blocks_.capacity()) blocks_.reserve(2 * blocks_.size() + 1);
    QUERN_TRY(const uint32_t block, pool.allocate());
    blocks_.push_back(block);
  } else {
    QUERN_CHECK(make_exclusive(pool, blocks_.size() - 1));
  }
  return size_++;
}

void BlockTable::truncate(BlockPool& pool, uint32_t n_cells) {
  const uint32_t keep = blocks_for(n_cells);
  for (size_t i = keep; i < blocks_.size(); ++i) {
    if (blocks_[i] != kHole) pool.release(blocks_[i]);
  }
  blocks_.resize(keep);
  size_ = n_cells;
  first_ = std::min(first_, n_cells);
}

void BlockTable::drop_before(BlockPool& pool, uint32_t cell) {
  const uint32_t end = std::min(cell, size_) / kKvBlockTokens;
  // Backwards, so that the pool hands them out in the order of the sequence.
  for (uint32_t i = end; i-- > 0 && blocks_[i] != kHole;) {
    pool.release(blocks_[i]);
    blocks_[i] = kHole;
  }
  first_ = std::max(first_, end * kKvBlockTokens);
}

BlockTable::Move BlockTable::move_of(uint32_t begin, uint32_t end) const {
  const uint32_t from = std::max(first_, end), n = end - begin;
  if (from >= size_) return {from, 0, 0};
  return {from, (from - n) / kKvBlockTokens, (size_ - n - 1) / kKvBlockTokens + 1};
}

uint32_t BlockTable::blocks_to_remove(const BlockPool& pool, uint32_t begin, uint32_t end) const {
  const Move move = move_of(begin, end);
  uint32_t n = 0;
  for (uint32_t i = move.first_block; i < move.end_block; ++i) {
    n += blocks_[i] == kHole || pool.shared(blocks_[i]) ? 1 : 0;
  }
  return n;
}

Status BlockTable::remove(BlockPool& pool, uint32_t begin, uint32_t end) {
  const uint32_t n = end - begin;
  const Move move = move_of(begin, end);
  QUERN_CHECK(pool.reserve(blocks_to_remove(pool, begin, end)));
  for (uint32_t i = move.first_block; i < move.end_block; ++i) QUERN_CHECK(make_exclusive(pool, i));
  for (uint32_t cell = move.from; cell < size_; ++cell) pool.move_slot(slot(cell), slot(cell - n));
  if (first_ > begin) first_ = move.from - n;
  truncate(pool, size_ - n);
  return {};
}

void BlockTable::hold(BlockPool& pool) const {
  for (const uint32_t block : blocks_) {
    if (block != kHole) pool.share(block);
  }
}

Status BlockTable::assign(BlockPool& pool, uint32_t first, uint32_t size) {
  clear(pool);
  blocks_.resize(blocks_for(size), kHole);
  for (size_t i = first / kKvBlockTokens; i < blocks_.size(); ++i) {
    QUERN_TRY(blocks_[i], pool.allocate());
  }
  first_ = first;
  size_ = size;
  return {};
}

}  // namespace quern::context
