#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/bandwidth.cc"
#include "hwy/foreach_target.h"

#include "lib/cpu/bandwidth.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "hwy/highway.h"
#include "lib/cpu/arena.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Reads n bytes, a multiple of four vectors.
uint64_t read_all(const uint8_t* p, size_t n) {
  const hn::ScalableTag<uint8_t> d;
  auto a = hn::Zero(d), b = a, c = a, e = a;
  const size_t step = hn::Lanes(d);
  for (size_t i = 0; i + 4 * step <= n; i += 4 * step) {
    a = hn::Xor(a, hn::LoadU(d, p + i));
    b = hn::Xor(b, hn::LoadU(d, p + i + step));
    c = hn::Xor(c, hn::LoadU(d, p + i + 2 * step));
    e = hn::Xor(e, hn::LoadU(d, p + i + 3 * step));
  }
  return hn::GetLane(hn::Xor(hn::Xor(a, b), hn::Xor(c, e)));
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(read_all);

Result<double> measure_read_bandwidth(base::ThreadPool& pool, uint64_t size_bytes) {
  constexpr uint64_t kChunk = uint64_t{1} << 20;
  constexpr int kPasses = 7;
  QUERN_ENSURE(size_bytes >= kChunk && size_bytes <= uint64_t{1} << 40, Errc::argument, "size_bytes: expected ", kChunk,
               " to ", uint64_t{1} << 40, ", found ", size_bytes);
  const size_t n_chunks = size_bytes / kChunk;
  Arena arena;
  QUERN_TRY(const ArenaMemory memory, arena.allocate(n_chunks * kChunk, &pool));
  std::memset(memory.data(), 1, memory.size_bytes());  // untouched pages would all be the one page of zeros
  std::vector<uint64_t> sums(n_chunks);
  double best = 1e30;
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    pool.run(n_chunks, [&](size_t i) { sums[i] = HWY_DYNAMIC_DISPATCH(read_all)(memory.data() + i * kChunk, kChunk); });
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return static_cast<double>(memory.size_bytes()) / std::max(best, 1e-9);
}

}  // namespace quern::cpu
#endif  // HWY_ONCE
