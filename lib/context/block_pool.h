// The blocks of a key-value cache: who uses them, and when the store must grow. A block may belong to several
// sequences; it is then read-only for all of them.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/base/status.h"
#include "lib/compute/ops.h"

namespace quern::context {

class BlockPool {
 public:
  /// At most `capacity` blocks of `store`, which must be empty and outlive the pool. Memory is taken as blocks are.
  /// Without a store the blocks hold nothing, but are counted all the same.
  BlockPool(compute::KvStore* store, uint32_t capacity) : store_(store), capacity_(capacity) {}

  /// Makes sure that `n` more blocks can be allocated. Errc::context_full, or Errc::memory if the store cannot grow.
  Status reserve(uint32_t n);
  /// A block with one user, after reserve(1) where none is free.
  Result<uint32_t> allocate();
  void share(uint32_t block) { ++users_[block]; }
  /// Takes one user away; the block is free when the last one is gone.
  void release(uint32_t block);
  bool shared(uint32_t block) const { return users_[block] > 1; }

  void copy_block(uint32_t from, uint32_t to) {
    if (store_ != nullptr) store_->copy_block(from, to);
  }
  void move_slot(uint32_t from, uint32_t to) {
    if (store_ != nullptr) store_->move_slot(from, to);
  }

  uint32_t capacity() const { return capacity_; }
  uint32_t n_blocks() const { return static_cast<uint32_t>(users_.size()); }  ///< that there is memory for
  uint32_t n_used() const { return n_used_; }
  uint32_t n_free() const { return capacity_ - n_used_; }
  uint64_t size_bytes() const { return store_ != nullptr ? store_->n_blocks() * store_->block_bytes() : 0; }
  compute::KvStore* store() const { return store_; }

 private:
  compute::KvStore* store_;
  uint32_t capacity_;
  uint32_t n_used_ = 0;
  std::vector<uint32_t> users_;  ///< per block of the store
  std::vector<uint32_t> free_;   ///< blocks of the store without users; the last is handed out first
};

}  // namespace quern::context
