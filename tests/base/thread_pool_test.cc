#include "lib/base/thread_pool.h"

#include <doctest/doctest.h>

#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

using quern::base::ThreadPool;

TEST_CASE("every task runs exactly once, whatever the number of threads") {
  for (const uint32_t n_threads : {1u, 2u, 3u, 8u}) {
    auto pool = std::move(ThreadPool::create(n_threads)).value();
    CHECK(pool->n_threads() == n_threads);
    for (const size_t n_tasks : {0, 1, 2, 7, 1000}) {
      std::vector<int> counts(n_tasks, 0);
      for (int repeat = 0; repeat < 50; ++repeat) pool->run(n_tasks, [&](size_t i) { ++counts[i]; });
      CHECK(std::count(counts.begin(), counts.end(), 50) == static_cast<std::ptrdiff_t>(n_tasks));
    }
  }
}

TEST_CASE("run() inside a task and from several threads at once does the work alone") {
  auto pool = std::move(ThreadPool::create(3)).value();
  std::atomic<int> sum{0};
  const auto outer = [&] {
    for (int repeat = 0; repeat < 100; ++repeat) {
      pool->run(10, [&](size_t) { pool->run(10, [&](size_t) { sum.fetch_add(1); }); });
    }
  };
  std::thread a(outer), b(outer);
  a.join();
  b.join();
  CHECK(sum == 2 * 100 * 100);
}

#if defined(__linux__)
TEST_CASE("the threads that a pool starts run where they are told to") {
  cpu_set_t allowed;
  REQUIRE(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
  std::vector<int> processors;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &allowed)) processors.push_back(i);
  }
  if (processors.size() < 2) return;
  processors.resize(2);
  for (const bool one_each : {false, true}) {
    auto pool = std::move(ThreadPool::create(2, {processors, one_each})).value();
    const auto caller = std::this_thread::get_id();
    std::atomic<int> seen{-1};
    // Two tasks that wait for one another are on two threads.
    std::atomic<int> arrived{0};
    pool->run(2, [&](size_t) {
      ++arrived;
      while (arrived < 2) std::this_thread::yield();
      cpu_set_t mine;
      if (std::this_thread::get_id() == caller || sched_getaffinity(0, sizeof mine, &mine) != 0) return;
      seen = one_each ? (CPU_COUNT(&mine) == 1 && CPU_ISSET(processors[1], &mine)) : CPU_COUNT(&mine) == 2;
    });
    CHECK(seen == 1);
  }
  CHECK(!ThreadPool::create(3, {processors, true}));
  CHECK(!ThreadPool::create(2, {{processors[0], 60000}, true}));
}
#endif

TEST_CASE("an impossible number of threads is refused") {
  CHECK(!ThreadPool::create(0));
  CHECK(!ThreadPool::create(100000));
}
