#include "lib/base/thread_pool.h"

#include <system_error>

namespace quern::base {

namespace {

constexpr int kSpins = 4000;  // some 20 to 50 microseconds, more than the gap between two operations of a forward pass

void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

uint32_t high_half(uint64_t ticket) { return static_cast<uint32_t>(ticket >> 32); }
uint32_t low_half(uint64_t ticket) { return static_cast<uint32_t>(ticket); }

}  // namespace

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(uint32_t n_threads, const ThreadPlaces& places) {
  QUERN_ENSURE(n_threads >= 1 && n_threads <= 1024, Errc::argument, "n_threads is ", n_threads, ", expected 1 to 1024");
  QUERN_ENSURE(!places.one_each || places.processors.empty() || places.processors.size() >= n_threads, Errc::argument,
               n_threads, " threads cannot have a processor each: there are ", places.processors.size());
  std::unique_ptr<ThreadPool> pool(new ThreadPool);
  try {
    pool->workers_.reserve(n_threads - 1);
    for (uint32_t i = 1; i < n_threads; ++i) {
      pool->workers_.emplace_back([p = pool.get(), i] { p->worker_main(i); });
      QUERN_CHECK(bind_thread(pool->workers_.back(), places.of(i)));
    }
  } catch (const std::system_error& error) {  // the destructor joins those that were started
    return fail(Errc::device, "cannot start ", n_threads - 1, " threads: ", error.what());
  }
  return pool;
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run_erased(size_t n_tasks, Call call, void* task) {
  if (n_tasks <= 1 || workers_.empty() || busy_.exchange(true, std::memory_order_acquire)) {
    for (size_t i = 0; i < n_tasks; ++i) call(task, i, 0);
    return;
  }
  call_ = call;
  task_ = task;
  n_tasks_ = n_tasks;
  unfinished_.store(static_cast<uint32_t>(n_tasks), std::memory_order_relaxed);
  const uint32_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
  ticket_.store(uint64_t{epoch} << 32 | n_tasks, std::memory_order_release);
  epoch_.store(epoch, std::memory_order_release);
  epoch_.notify_all();

  work_on(epoch, 0);
  for (int spins = 0; unfinished_.load(std::memory_order_acquire) != 0; ++spins) {
    if (spins < kSpins) {
      pause_briefly();
    } else {
      std::this_thread::yield();  // whoever holds the last task may be waiting for this very core
    }
  }
  busy_.store(false, std::memory_order_release);
}

void ThreadPool::work_on(uint32_t epoch, size_t worker) {
  uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (high_half(ticket) == epoch && low_half(ticket) != 0) {
    if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acquire)) continue;
    call_(task_, n_tasks_ - low_half(ticket), worker);
    unfinished_.fetch_sub(1, std::memory_order_release);
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

void ThreadPool::worker_main(size_t worker) {
  uint32_t seen = 0;
  while (true) {
    for (int spins = 0; epoch_.load(std::memory_order_acquire) == seen && spins < kSpins; ++spins) pause_briefly();
    epoch_.wait(seen, std::memory_order_acquire);
    if (stop_.load()) return;
    seen = epoch_.load(std::memory_order_acquire);
    work_on(seen, worker);
  }
}

}  // namespace quern::base
