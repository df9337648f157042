// The slots of a store of recurrent states, and who uses them. A slot may belong to several sequences; it is then
// read-only for all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "lib/base/status.h"
#include "lib/compute/state.h"

namespace quern::context {

/// kZeroState may be passed wherever a slot is: it has no users to count.
class StatePool {
 public:
  explicit StatePool(std::unique_ptr<compute::StateStore> store) : store_(std::move(store)) {}

  /// A slot with one user. Errc::memory if the store cannot grow.
  Result<uint32_t> allocate();
  void share(uint32_t slot);
  /// Takes one user away; the slot is free when the last one is gone.
  void release(uint32_t slot);
  /// Whether somebody else would see what is written there.
  bool shared(uint32_t slot) const { return slot == compute::kZeroState || users_[slot] > 1; }

  compute::StateStore& store() const { return *store_; }
  uint64_t size_bytes() const { return store_->n_slots() * store_->slot_bytes(); }

 private:
  std::unique_ptr<compute::StateStore> store_;
  std::vector<uint32_t> users_;  ///< per slot
  std::vector<uint32_t> free_;
};

}  // namespace quern::context
