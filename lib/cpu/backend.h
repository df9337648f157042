// The CPU backend: Highway kernels chosen at run time for the machine's instruction set, on a thread pool of the
// caller's.
#pragma once

#include <memory>

#include "lib/base/thread_pool.h"
#include "lib/compute/ops.h"

namespace quern::cpu {

/// The pool must outlive the backend and all that it makes.
Result<std::unique_ptr<compute::Backend>> make_backend(base::ThreadPool& pool);

}  // namespace quern::cpu
