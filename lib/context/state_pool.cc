#include "lib/context/state_pool.h"

namespace quern::context {

using compute::kZeroState;

Result<uint32_t> StatePool::allocate() {
  if (free_.empty()) {
    const auto slot = static_cast<uint32_t>(users_.size());
    free_.reserve(slot + 1);  // so that release() cannot fail
    users_.reserve(slot + 1);
    QUERN_CHECK(store_->grow(slot + 1));
    users_.push_back(0);
    free_.push_back(slot);
  }
  const uint32_t slot = free_.back();
  free_.pop_back();
  users_[slot] = 1;
  return slot;
}

void StatePool::share(uint32_t slot) {
  if (slot != kZeroState) ++users_[slot];
}

void StatePool::release(uint32_t slot) {
  if (slot != kZeroState && --users_[slot] == 0) free_.push_back(slot);
}

}  // namespace quern::context
