// Speed of the CPU's matrix products, per format and number of columns, beside what this machine can do at most:
//   quern_kernel_bench [-t THREADS] [-k K] [-r ROWS] [FORMAT...]
// For every format: GB/s of weights at few columns with the share of the read bandwidth, and GOPS (2 per weight and
// column) at many with the share of the int8 peak. Bandwidth and peak are measured in the same run. Leave the machine
// otherwise idle.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/kernel.cc"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"
#include "lib/cpu/backend.h"
#include "lib/cpu/bandwidth.h"
#include "lib/cpu/weight.h"
#include "lib/quant/format.h"
#include "tests/cpu/ordinary_bytes.h"

HWY_BEFORE_NAMESPACE();
namespace quern::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Ten independent chains of dot products; returns the operations done.
uint64_t multiply_int8(size_t rounds, int32_t& sink) {
  const hn::ScalableTag<int32_t> d;
  const hn::Repartition<uint8_t, decltype(d)> du8;
  const hn::Repartition<int8_t, decltype(d)> di8;
  const auto x = hn::Set(du8, static_cast<uint8_t>(sink | 3));
  const auto y = hn::Set(di8, static_cast<int8_t>(sink | 5));
  const auto start = [&](int32_t i) HWY_ATTR { return hn::Set(d, sink + i); };  // chains that cannot be merged
  auto s0 = start(0), s1 = start(1), s2 = start(2), s3 = start(3), s4 = start(4), s5 = start(5), s6 = start(6),
       s7 = start(7), s8 = start(8), s9 = start(9);
  for (size_t i = 0; i < rounds; ++i) {
    s0 = hn::SumOfMulQuadAccumulate(d, x, y, s0);
    s1 = hn::SumOfMulQuadAccumulate(d, x, y, s1);
    s2 = hn::SumOfMulQuadAccumulate(d, x, y, s2);
    s3 = hn::SumOfMulQuadAccumulate(d, x, y, s3);
    s4 = hn::SumOfMulQuadAccumulate(d, x, y, s4);
    s5 = hn::SumOfMulQuadAccumulate(d, x, y, s5);
    s6 = hn::SumOfMulQuadAccumulate(d, x, y, s6);
    s7 = hn::SumOfMulQuadAccumulate(d, x, y, s7);
    s8 = hn::SumOfMulQuadAccumulate(d, x, y, s8);
    s9 = hn::SumOfMulQuadAccumulate(d, x, y, s9);
  }
  const auto a = hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), b = hn::Add(hn::Add(s4, s5), hn::Add(s6, s7));
  sink += hn::ReduceSum(d, hn::Add(hn::Add(a, b), hn::Add(s8, s9)));
  return rounds * 10 * 8 * hn::Lanes(d);
}

}  // namespace quern::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::bench {
namespace {

HWY_EXPORT(multiply_int8);

using compute::Mat;

/// The least time of several runs, in seconds.
double fastest(const std::function<void()>& work, int runs) {
  double best = 1e30;
  for (int r = 0; r < runs; ++r) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

double int8_peak(base::ThreadPool& pool) {
  uint64_t done = 0;
  std::vector<int32_t> sinks(64 * pool.n_threads());
  const double seconds = fastest(
      [&] {
        pool.run(pool.n_threads(), [&](size_t i) {
          const uint64_t n = HWY_DYNAMIC_DISPATCH(multiply_int8)(2000000, sinks[64 * i]);
          if (i == 0) done = n;
        });
      },
      5);
  return static_cast<double>(done) * pool.n_threads() / seconds;
}

struct Options {
  uint32_t threads = 2, k = 4096, rows = 16384;
  std::vector<std::string> formats;
};

void measure(const quant::FormatInfo& format, const Options& options, base::ThreadPool& pool, double bandwidth,
             double peak) {
  auto backend = cpu::make_backend(pool).value();
  auto stream = backend->make_stream().value();
  const uint64_t row_bytes = uint64_t{options.k} / format.block_elems * format.block_bytes;
  const auto source = test::ordinary_bytes(row_bytes * options.rows);
  tensor::TensorView view;
  view.data = source.data();
  view.type = format.type;
  view.shape.ne = {options.k, options.rows, 1, 1};
  view.shape.rank = 2;
  view.row_bytes = row_bytes;
  const auto start = std::chrono::steady_clock::now();
  const auto weight = backend->prepare(view, compute::Usage::matmul).value();
  const double pack = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%-8s pack %5.2f GB/s |", format.name, static_cast<double>(source.size()) / pack / 1e9);
  for (const uint32_t n : {1u, 2u, 3u, 4u, 8u, 16u, 256u}) {
    auto in = backend->allocate(uint64_t{n} * options.k).value();
    auto out = backend->allocate(uint64_t{n} * options.rows).value();
    const Mat x{in.get(), 0, n, options.k, options.k}, y{out.get(), 0, n, options.rows, options.rows};
    std::mt19937 rng(n);
    std::normal_distribution<float> normal(0, 1);
    for (uint64_t i = 0; i < uint64_t{n} * options.k; ++i) in->host()[i] = normal(rng);
    const double seconds = fastest([&] { stream->matmul(x, *weight, y); }, n > 16 ? 3 : 9);
    const double bytes = static_cast<double>(source.size()) / seconds;
    const double ops = 2.0 * options.k * options.rows * n / seconds;
    if (n <= 4) {
      std::printf(" n=%u %5.1f GB/s (%3.0f%%)", n, bytes / 1e9, 100 * bytes / bandwidth);
    } else {
      std::printf(" n=%u %4.0f GOPS (%2.0f%%)", n, ops / 1e9, 100 * ops / peak);
    }
    std::fflush(stdout);
  }
  std::printf("\n");
}

int run(const Options& options) {
  auto pool = base::ThreadPool::create(options.threads);
  if (!pool) return std::fprintf(stderr, "%s\n", pool.error().message.c_str()), 1;
  const auto bandwidth = cpu::measure_read_bandwidth(**pool, uint64_t{512} << 20);
  if (!bandwidth) return std::fprintf(stderr, "%s\n", bandwidth.error().message.c_str()), 1;
  const double peak = int8_peak(**pool);
  std::printf("%s, %u threads: reads %.1f GB/s, int8 dot products %.0f GOPS; weights %u x %u\n",
              cpu::make_backend(**pool).value()->description().c_str(), options.threads, *bandwidth / 1e9, peak / 1e9,
              options.rows, options.k);
  for (const quant::FormatInfo& format : quant::formats()) {
    const bool wanted = options.formats.empty() ||
                        std::find(options.formats.begin(), options.formats.end(), format.name) != options.formats.end();
    if (wanted) measure(format, options, **pool, *bandwidth, peak);
  }
  return 0;
}

}  // namespace
}  // namespace quern::bench

int main(int argc, char** argv) {
  quern::bench::Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const bool has_value = i + 1 < argc;
    if (arg == "-t" && has_value) {
      options.threads = static_cast<uint32_t>(std::atoi(argv[++i]));
    } else if (arg == "-k" && has_value) {
      options.k = static_cast<uint32_t>(std::atoi(argv[++i])) / 256 * 256;
    } else if (arg == "-r" && has_value) {
      options.rows = static_cast<uint32_t>(std::atoi(argv[++i]));
    } else if (arg[0] == '-') {
      std::fprintf(stderr, "usage: quern_kernel_bench [-t THREADS] [-k K] [-r ROWS] [FORMAT...]\n");
      return 2;
    } else {
      options.formats.push_back(arg);
    }
  }
  return quern::bench::run(options);
}
#endif  // HWY_ONCE
