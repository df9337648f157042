// What a caller can hang on a long operation: a logger, a progress report and a cancel token.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

namespace quern {

enum class LogLevel : int32_t { debug = 0, info = 1, warning = 2, error = 3 };

/// Receives every message of one Runtime; called from whichever thread meets the event. Without one, messages vanish.
using LogFn = std::function<void(LogLevel, std::string_view)>;

/// How far a long operation is. `total` may be 0 while it is not known.
struct Progress {
  std::string_view stage;  ///< "load", "prefill", "evaluate", ...: valid during the call.
  uint64_t done = 0;       ///< In bytes for "load" and "quantize", in tokens otherwise.
  uint64_t total = 0;
};

/// Called on the thread of the operation, at most a few hundred times. Returning false cancels it (Errc::cancelled).
using ProgressFn = std::function<bool(const Progress&)>;

/// A flag that any thread (or a signal handler, through flag()) may raise to stop an operation. Copies share the flag.
class CancelToken {
 public:
  CancelToken() : flag_(std::make_shared<std::atomic<bool>>(false)) {}
  void cancel() const noexcept { flag_->store(true, std::memory_order_relaxed); }
  void reset() const noexcept { flag_->store(false, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return flag_->load(std::memory_order_relaxed); }
  std::atomic<bool>* flag() const noexcept { return flag_.get(); }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace quern
