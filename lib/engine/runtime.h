// RuntimeState: the threads, the backend and the log sink of one quern::Runtime. The only place that makes backends.
#pragma once

#include <quern/runtime.h>

#include <cstdint>
#include <memory>

#include "lib/base/affinity.h"
#include "lib/base/status.h"
#include "lib/base/thread_pool.h"
#include "lib/compute/ops.h"

namespace quern::engine {

struct RuntimeState {
  base::ThreadPlaces places;
  // In this order: the backend works on the pool.
  std::unique_ptr<base::ThreadPool> pool;
  std::unique_ptr<compute::Backend> backend;
  LogFn log;

  static Result<std::unique_ptr<RuntimeState>> create(const RuntimeOptions& options);
};

}  // namespace quern::engine
