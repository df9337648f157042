#include "lib/context/block_pool.h"

#include <algorithm>

namespace quern::context {

Status BlockPool::reserve(uint32_t n) {
  QUERN_ENSURE(n <= n_free(), Errc::context_full, "the cache has no room: ", uint64_t{n} * compute::kKvBlockTokens,
               " cells needed in new blocks, ", uint64_t{n_free()} * compute::kKvBlockTokens, " available");
  if (n <= free_.size()) return {};
  const auto have = static_cast<uint32_t>(users_.size());
  const uint32_t needed = have + (n - static_cast<uint32_t>(free_.size()));
  // Half as much again, so that a growing cache is moved seldom; only what is needed where that does not fit.
  const uint32_t wished = std::min(capacity_, std::max(needed, have + have / 2));
  uint32_t now = wished;
  if (store_ != nullptr) {
    if (!store_->grow(wished)) QUERN_CHECK(store_->grow(needed));
    now = std::min(store_->n_blocks(), capacity_);
  }
  // Ascending order among the new ones; blocks freed before are handed out first.
  std::vector<uint32_t> fresh;
  for (uint32_t block = now; block > have; --block) fresh.push_back(block - 1);
  free_.reserve(now);
  users_.resize(now, 0);
  free_.insert(free_.begin(), fresh.begin(), fresh.end());
  return {};
}

Result<uint32_t> BlockPool::allocate() {
  if (free_.empty()) QUERN_CHECK(reserve(1));
  const uint32_t block = free_.back();
  free_.pop_back();
  users_[block] = 1;
  ++n_used_;
  return block;
}

void BlockPool::release(uint32_t block) {
  if (--users_[block] > 0) return;
  free_.push_back(block);
  --n_used_;
}

}  // namespace quern::context
