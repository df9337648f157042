// How fast this machine's memory can be read: the bound of decoding, which reads every weight once per token.
#pragma once

#include <cstdint>

#include "lib/base/thread_pool.h"

namespace quern::cpu {

/// Bytes a second that the pool's threads read together, at the best of several passes over `size_bytes` (1 MiB to
/// 1 TiB) laid out like weights. What fits into a cache is read faster: take more than that.
Result<double> measure_read_bandwidth(base::ThreadPool& pool, uint64_t size_bytes);

}  // namespace quern::cpu
