// Memory on huge pages, for packed weights and the cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "lib/base/status.h"
#include "lib/base/thread_pool.h"

namespace quern::cpu {

/// Bytes of an Arena, aligned to a cache line. Goes back to the system together with its neighbours.
class ArenaMemory {
 public:
  ArenaMemory() = default;
  uint8_t* data() const { return data_.get(); }
  size_t size_bytes() const { return size_bytes_; }

 private:
  friend class Arena;
  std::shared_ptr<uint8_t> data_;
  size_t size_bytes_ = 0;
};

/// Hands out memory from large pieces of address space that begin and end on huge pages, so that all of it lies on
/// huge pages where the system grants them: fewer page walks, 5 to 9 % more bandwidth, and a quarter of the time to
/// take the memory. A piece lives as long as any memory in it. Thread-safe.
class Arena {
 public:
  /// Zeros. With a pool, its threads touch the memory at once, a huge page at a time: the system clears a page when it
  /// is touched, and threads that touch one at the same time each clear one. Without, it is taken as it is used.
  Result<ArenaMemory> allocate(size_t size_bytes, base::ThreadPool* pool);

 private:
  struct Piece;
  std::mutex mutex_;
  std::weak_ptr<Piece> current_;
};

}  // namespace quern::cpu
