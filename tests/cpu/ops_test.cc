// Every verb of the CPU backend against the reference backend, on every instruction set that is compiled and present.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "hwy/highway.h"
#include "lib/cpu/backend.h"
#include "lib/quant/format.h"
#include "lib/reference/backend.h"

using namespace quern;
using compute::Mat;
using compute::RopePairs;
using compute::Usage;

namespace {

/// One backend with memory for matrices.
struct Bench {
  std::unique_ptr<compute::Backend> backend;
  std::unique_ptr<compute::Stream> stream;
  std::vector<std::unique_ptr<compute::Buffer>> buffers;
  std::vector<std::unique_ptr<compute::Weight>> weights;

  explicit Bench(Result<std::unique_ptr<compute::Backend>> made)
      : backend(std::move(made).value()), stream(backend->make_stream().value()) {}

  Mat mat(uint32_t rows, uint32_t cols) {
    buffers.push_back(backend->allocate(uint64_t{rows} * cols).value());
    return {buffers.back().get(), 0, rows, cols, cols};
  }
  Mat mat(uint32_t rows, uint32_t cols, const std::vector<float>& values) {
    Mat m = mat(rows, cols);
    stream->upload(values, m);
    return m;
  }
  const compute::Weight& weight(const tensor::TensorView& view, Usage usage) {
    weights.push_back(backend->prepare(view, usage).value());
    return *weights.back();
  }
  std::vector<float> get(Mat m) {
    std::vector<float> out(uint64_t{m.rows} * m.cols);
    stream->download(m, out);
    REQUIRE(stream->finish());
    return out;
  }
};

std::vector<float> random_floats(size_t n, uint32_t seed, float scale = 1) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> out(n);
  for (float& x : out) x = normal(rng);
  return out;
}

tensor::TensorView view_of(const std::vector<float>& floats, uint64_t cols, uint64_t rows) {
  tensor::TensorView view;
  view.data = reinterpret_cast<const std::byte*>(floats.data());
  view.shape.ne = {cols, rows, 1, 1};
  view.shape.rank = 2;
  view.row_bytes = cols * 4;
  return view;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(a[i]) - b[i]);
    largest = difference <= largest ? largest : difference;  // NaN is the largest of all
  }
  return largest;
}

template <class F>
void on_every_target(F&& f) {
  auto pool = base::ThreadPool::create(2).value();
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    CAPTURE(hwy::TargetName(target));
    f(*pool);
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace

TEST_CASE("row operations equal the reference's at odd sizes") {
  on_every_target([](base::ThreadPool& pool) {
    Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
    for (const uint32_t n : {1u, 7u, 16u, 33u, 172u, 1000u}) {
      CAPTURE(n);
      const uint32_t rows = 5;
      const auto x = random_floats(rows * n, n), y = random_floats(rows * n, n + 1, 3), w = random_floats(n, n + 2);
      const auto view = view_of(w, n, 1);
      std::vector<float> got[2][3];
      Bench* benches[2] = {&cpu, &ref};
      for (int i = 0; i < 2; ++i) {
        Bench& b = *benches[i];
        Mat out = b.mat(rows, n), mx = b.mat(rows, n, x), my = b.mat(rows, n, y);
        b.stream->rms_norm(mx, b.weight(view, Usage::vector), 1e-5f, out);
        got[i][0] = b.get(out);
        b.stream->swiglu(mx, my, out);
        got[i][1] = b.get(out);
        b.stream->add(mx, my);
        got[i][2] = b.get(mx);
      }
      CHECK(largest_difference(got[0][0], got[1][0]) < 2e-6);
      CHECK(largest_difference(got[0][1], got[1][1]) < 2e-5);
      CHECK(largest_difference(got[0][2], got[1][2]) == 0);
    }
  });
}

TEST_CASE("rope equals the reference's for both pair layouts and partial rotation") {
  on_every_target([](base::ThreadPool& pool) {
    Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
    for (const auto pairs : {RopePairs::interleaved, RopePairs::halves}) {
      for (const uint32_t n_rot : {2u, 8u, 30u, 64u}) {
        const uint32_t rows = 3, heads = 5, head_dim = 64;
        const auto x = random_floats(rows * heads * head_dim, n_rot),
                   angles = random_floats(rows * n_rot / 2, n_rot + 1, 9);
        std::vector<float> table(rows * n_rot);
        for (uint32_t r = 0; r < rows; ++r) {
          for (uint32_t i = 0; i < n_rot / 2; ++i) {
            table[r * n_rot + i] = std::cos(angles[r * n_rot / 2 + i]);
            table[r * n_rot + n_rot / 2 + i] = std::sin(angles[r * n_rot / 2 + i]);
          }
        }
        std::vector<float> got[2];
        Bench* benches[2] = {&cpu, &ref};
        for (int i = 0; i < 2; ++i) {
          Bench& b = *benches[i];
          Mat mx = b.mat(rows, heads * head_dim, x);
          b.stream->rope(mx, head_dim, n_rot, pairs, b.mat(rows, n_rot, table));
          got[i] = b.get(mx);
        }
        CHECK(largest_difference(got[0], got[1]) < 1e-6);
      }
    }
  });
}

namespace {

struct AttentionCase {
  uint32_t heads, kv_heads, k_dim, v_dim, n_tokens, window;
  compute::KvType type;
  float softcap;
};

/// Stores n_tokens keys and values through a scattered block table, then attends from every token causally.
std::vector<float> run_attention(Bench& b, const AttentionCase& c, uint32_t rows_at_once) {
  compute::KvShape shape;
  shape.layers = {{c.kv_heads, c.k_dim, c.v_dim}, {c.kv_heads, c.k_dim, c.v_dim}};
  shape.type_k = shape.type_v = c.type;
  auto kv = b.backend->make_kv_store(shape).value();
  const uint32_t n_blocks = (c.n_tokens + compute::kKvBlockTokens - 1) / compute::kKvBlockTokens;
  REQUIRE(kv->grow(n_blocks + 3));
  std::vector<uint32_t> blocks, slots;
  for (uint32_t i = 0; i < n_blocks; ++i) blocks.push_back((i * 5 + 2) % (n_blocks + 3));
  if (n_blocks + 3 == 5) std::iota(blocks.begin(), blocks.end(), 1u);
  for (uint32_t t = 0; t < c.n_tokens; ++t)
    slots.push_back(blocks[t / compute::kKvBlockTokens] * compute::kKvBlockTokens + t % compute::kKvBlockTokens);
  Mat k = b.mat(c.n_tokens, c.kv_heads * c.k_dim, random_floats(c.n_tokens * c.kv_heads * c.k_dim, 1));
  Mat v = b.mat(c.n_tokens, c.kv_heads * c.v_dim, random_floats(c.n_tokens * c.kv_heads * c.v_dim, 2));
  Mat q = b.mat(c.n_tokens, c.heads * c.k_dim, random_floats(c.n_tokens * c.heads * c.k_dim, 3));
  Mat out = b.mat(c.n_tokens, c.heads * c.v_dim);
  b.stream->kv_store(*kv, 1, k, v, slots);
  const compute::AttentionShape attention{c.heads, c.kv_heads, c.k_dim, c.v_dim, 0.3f, c.softcap};
  for (uint32_t from = 0; from < c.n_tokens; from += rows_at_once) {
    const uint32_t n = std::min(rows_at_once, c.n_tokens - from);
    std::vector<compute::AttentionRow> rows;
    for (uint32_t t = from; t < from + n; ++t) {
      rows.push_back({blocks.data(), c.window && t + 1 > c.window ? t + 1 - c.window : 0, t + 1});
    }
    b.stream->attention(*kv, 1, attention, q.slice(from, n), rows, out.slice(from, n));
  }
  return b.get(out);
}

}  // namespace

TEST_CASE("attention equals the reference's, and rows do not depend on the rows beside them") {
  using compute::KvType;
  const AttentionCase cases[] = {
      {4, 4, 8, 8, 40, 0, KvType::f32, 0},    {8, 1, 64, 64, 70, 0, KvType::f16, 0},
      {6, 2, 20, 24, 65, 13, KvType::f16, 0}, {8, 2, 48, 16, 100, 40, KvType::f32, 5},
      {3, 3, 5, 7, 33, 0, KvType::f16, 0},    {32, 2, 16, 16, 64, 0, KvType::f16, 0},
  };
  on_every_target([&](base::ThreadPool& pool) {
    for (const AttentionCase& c : cases) {
      CAPTURE(c.heads);
      CAPTURE(c.k_dim);
      Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
      const auto all = run_attention(cpu, c, 1000);
      CHECK(largest_difference(all, run_attention(ref, c, 1000)) < 1e-5);
      CHECK(all == run_attention(cpu, c, 1));
      CHECK(all == run_attention(cpu, c, 7));
    }
  });
}

TEST_CASE("moving and copying cache contents keeps them") {
  auto pool = base::ThreadPool::create(1).value();
  Bench cpu(cpu::make_backend(*pool));
  compute::KvShape shape;
  shape.layers = {{2, 8, 12}, {1, 4, 4}};
  auto kv = cpu.backend->make_kv_store(shape).value();
  REQUIRE(kv->grow(3));
  std::vector<std::byte> block(kv->block_bytes()), other(kv->block_bytes());
  const uint32_t slots[] = {5};
  cpu.stream->kv_store(*kv, 0, cpu.mat(1, 16, random_floats(16, 1)), cpu.mat(1, 24, random_floats(24, 2)), slots);
  cpu.stream->kv_store(*kv, 1, cpu.mat(1, 4, random_floats(4, 3)), cpu.mat(1, 4, random_floats(4, 4)), slots);
  REQUIRE(cpu.stream->finish());
  kv->read_block(0, block);
  CHECK(std::count(block.begin(), block.end(), std::byte{0}) < static_cast<long>(block.size()));
  kv->copy_block(0, 2);
  kv->read_block(2, other);
  CHECK(block == other);
  kv->move_slot(5, 32 + 9);  // to block 1 and back
  kv->move_slot(32 + 9, 64 + 5);
  kv->read_block(2, other);
  CHECK(block == other);
  kv->write_block(1, block);
  kv->read_block(1, other);
  CHECK(block == other);
}
