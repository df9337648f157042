// A fixed set of threads that share the work of one operation at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include "lib/base/affinity.h"
#include "lib/base/status.h"

namespace quern::base {

/// run() hands tasks out one by one from a shared counter, so that a thread that loses its core to another process
/// delays the operation by at most the task it holds: work is never divided beforehand, and threads that sleep are not
/// waited for. Idle threads spin for some microseconds, then sleep. The caller takes part.
class ThreadPool {
 public:
  /// n_threads >= 1, the caller's included: n_threads - 1 are started. Errc::device if the system refuses them.
  /// These are bound to their places; the caller, who is thread 0, stays as it is.
  static Result<std::unique_ptr<ThreadPool>> create(uint32_t n_threads, const ThreadPlaces& places = {});
  ~ThreadPool();

  uint32_t n_threads() const { return static_cast<uint32_t>(workers_.size()) + 1; }

  /// Calls task(i), or task(i, worker), once for every i < n_tasks, on several threads, and returns when all are done.
  /// worker < n_threads() tells the threads of this run() apart, for memory of their own. Tasks must not throw.
  /// While one thread is inside run(), another thread's run() does its tasks alone, as does a run() inside a task.
  template <class Task>
  void run(size_t n_tasks, Task&& task) {
    const auto call = [](void* t, size_t i, size_t worker) {
      auto& f = *static_cast<std::remove_reference_t<Task>*>(t);
      if constexpr (std::is_invocable_v<Task&, size_t, size_t>) {
        f(i, worker);
      } else {
        f(i);
      }
    };
    run_erased(n_tasks, call, const_cast<void*>(static_cast<const void*>(&task)));
  }

 private:
  using Call = void (*)(void*, size_t, size_t);
  ThreadPool() = default;
  void run_erased(size_t n_tasks, Call call, void* task);
  void work_on(uint32_t epoch, size_t worker);
  void worker_main(size_t worker);

  std::vector<std::thread> workers_;
  std::atomic<bool> busy_{false};
  std::atomic<bool> stop_{false};

  // The job. `ticket_` holds its epoch (high half) and the number of tasks not yet handed out (low half): a task is
  // taken by lowering that number, which fails if the job has changed meanwhile. So call_, task_ and n_tasks_ are read
  // only by holders of a task, and run() does not return, nor change them, before every task is done.
  alignas(64) std::atomic<uint64_t> ticket_{0};
  alignas(64) std::atomic<uint32_t> unfinished_{0};
  alignas(64) std::atomic<uint32_t> epoch_{0};  ///< what sleeping workers wait on
  Call call_ = nullptr;
  void* task_ = nullptr;
  size_t n_tasks_ = 0;
};

}  // namespace quern::base
