// Runtime: threads, devices and the log sink; everything that other libraries keep in globals.
#pragma once

#include <quern/callbacks.h>
#include <quern/result.h>

#include <cstdint>
#include <memory>
#include <string>

namespace quern {

struct RuntimeOptions {
  /// Threads that work on one operation, the caller's included. 0: the physical cores this process may use.
  uint32_t n_threads = 0;
  std::string backend = "cpu";  ///< "cpu" (vectorized) or "reference" (scalar float32: slow, the oracle of the tests).
  LogFn log{};                  ///< Receives messages; none are printed.
};

/// Copies share one runtime, which lives as long as any copy, Model or Context that uses it. Thread-safe.
class Runtime {
 public:
  /// Errc::argument for an unknown backend, Errc::device if threads cannot be started.
  static Result<Runtime> create(const RuntimeOptions& options = {});

  uint32_t n_threads() const;
  /// The backend and the instruction set chosen for this machine, e.g. "cpu (AVX3_ZEN4)".
  std::string description() const;

  struct Impl;
  Impl& impl() const { return *impl_; }  ///< For the library itself.

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace quern
