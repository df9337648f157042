// Runtime: threads, devices and the log sink; everything that other libraries keep in globals.
#pragma once

#include <quern/callbacks.h>
#include <quern/result.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quern {

struct RuntimeOptions {
  /// Threads that work on one operation, the caller's included. 0: the physical cores this process may use, without the
  /// slow ones of processors that have two kinds.
  uint32_t n_threads = 0;
  std::string backend = "cpu";  ///< "cpu" (vectorized) or "reference" (scalar float32: slow, the oracle of the tests).
  LogFn log{};                  ///< Receives messages; none are printed.
  /// Logical processors that the runtime's threads may run on. Empty: all that this process may use. (Linux)
  std::vector<int> processors{};
  /// Each of the runtime's threads stays on one of these processors: a core of its own while there are enough. (Linux)
  bool pin_threads = false;
};

/// Copies share one runtime, which lives as long as any copy, Model or Context that uses it. Thread-safe.
class Runtime {
 public:
  /// Errc::argument for an unknown backend, for processors that this process may not use or that are too few for
  /// pin_threads; Errc::device if threads cannot be started; Errc::unsupported where threads cannot be bound.
  static Result<Runtime> create(const RuntimeOptions& options = {});

  uint32_t n_threads() const;
  /// The backend and the instruction set chosen for this machine, e.g. "cpu (AVX3_ZEN4)".
  std::string description() const;

  /// Binds the calling thread as `processors` and `pin_threads` say. The runtime binds only the threads that it starts
  /// itself; whoever calls it takes part in the work, so with pin_threads call this from that thread.
  Status bind_this_thread() const;

  /// Bytes a second that the runtime's threads together read from memory, which bounds how fast a model can answer.
  /// Takes `size_bytes` of memory, which should be much more than the caches hold, and about a second.
  Result<double> measure_read_bandwidth(uint64_t size_bytes = uint64_t{512} << 20) const;

  struct Impl;
  Impl& impl() const { return *impl_; }  ///< For the library itself.

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace quern
