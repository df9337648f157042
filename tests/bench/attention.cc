// Speed of the CPU's attention per cache type, in products (multiply-adds) a second, on one thread:
//   quern_attention_bench [-d DEPTH] [-k HEAD_DIM]
// One layer, 8 query heads to a key-value head, as in TinyLlama; decoding (one row) and a prompt (64 rows).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "lib/cpu/backend.h"

namespace {

using namespace quern;
using compute::KvType;
using compute::Mat;

struct Cache {
  const char* name;
  KvType type;
  bool rounded;
};

double giga_products(const Cache& cache, uint32_t depth, uint32_t dim, uint32_t n_rows) {
  auto pool = base::ThreadPool::create(1).value();
  auto backend = cpu::make_backend(*pool).value();
  auto stream = backend->make_stream().value();
  constexpr uint32_t kHeads = 32, kKvHeads = 4;
  compute::KvShape shape;
  shape.layers = {{kKvHeads, dim, dim}};
  shape.type_k = shape.type_v = cache.type;
  shape.rounded = cache.rounded;
  auto kv = backend->make_kv_store(shape).value();
  const uint32_t n_blocks = (depth + n_rows) / compute::kKvBlockTokens + 1;
  if (!kv->grow(n_blocks)) return 0;
  std::vector<uint32_t> blocks(n_blocks), slots(depth + n_rows);
  for (uint32_t i = 0; i < n_blocks; ++i) blocks[i] = i;
  for (uint32_t i = 0; i < slots.size(); ++i) slots[i] = i;
  const auto fill = [&](uint32_t rows, uint32_t cols) {
    Mat m{backend->allocate(uint64_t{rows} * cols).value().release(), 0, rows, cols, cols};
    for (uint64_t i = 0; i < uint64_t{rows} * cols; ++i)
      m.row(0)[i] = static_cast<float>((i * 2654435761u >> 8) % 2001) / 1000 - 1;
    return m;
  };
  const auto n_tokens = static_cast<uint32_t>(slots.size());
  stream->kv_store(*kv, 0, fill(n_tokens, kKvHeads * dim), fill(n_tokens, kKvHeads * dim), slots);
  const Mat q = fill(n_rows, kHeads * dim), out = fill(n_rows, kHeads * dim);
  std::vector<compute::AttentionRow> rows;
  for (uint32_t r = 0; r < n_rows; ++r) rows.push_back({blocks.data(), 0, depth + r + 1});
  double best = 1e30;
  for (int run = 0; run < 40; ++run) {
    const auto start = std::chrono::steady_clock::now();
    stream->attention(*kv, 0, {kHeads, kKvHeads, dim, dim, 0.1f, 0}, q, rows, out);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return 2.0 * n_rows * kHeads * dim * depth / best / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  uint32_t depth = 4096, dim = 64;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "-d") == 0) depth = static_cast<uint32_t>(std::atoi(argv[i + 1]));
    if (std::strcmp(argv[i], "-k") == 0) dim = static_cast<uint32_t>(std::atoi(argv[i + 1]));
  }
  const Cache caches[] = {{"f32", KvType::f32, false},
                          {"f16", KvType::f16, false},
                          {"f16 as codes", KvType::f16, true},
                          {"q8_0", KvType::q8_0, true},
                          {"q4_0", KvType::q4_0, true}};
  std::printf("%-14s %24s %24s\n", "cache", "1 row, G products/s", "64 rows, G products/s");
  for (const Cache& cache : caches)
    std::printf("%-14s %24.1f %24.1f\n", cache.name, giga_products(cache, depth, dim, 1),
                giga_products(cache, depth, dim, 64));
}
