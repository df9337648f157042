#include "lib/base/thread_pool.h"

#include <doctest/doctest.h>

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

TEST_CASE("an impossible number of threads is refused") {
  CHECK(!ThreadPool::create(0));
  CHECK(!ThreadPool::create(100000));
}
