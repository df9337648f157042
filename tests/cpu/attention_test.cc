// The cache and attention of the CPU backend against the reference backend, on every instruction set that is compiled
// and present.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "lib/base/half.h"
#include "lib/reference/backend.h"
#include "tests/cpu/fixture.h"

using namespace quern;
using namespace quern::test;
using compute::kKvBlockTokens;
using compute::KvType;
using compute::Mat;

namespace {

struct Case {
  uint32_t heads, kv_heads, k_dim, v_dim, n_tokens, window;
  KvType type;
  float softcap;
  bool rounded = false;
  double tolerance = 1e-5;
  bool sinks = false;
};

/// Random floats; for Q8_0 such that a group of 32 elements is 127 steps of a power of two or less, and so exact.
std::vector<float> cached_floats(size_t rows, uint32_t dim, KvType type, uint32_t seed) {
  auto out = random_floats(rows * dim, seed);
  if (type != KvType::q8_0) return out;
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = i % dim % 32 == 0 ? 127 / 64.0f : std::clamp(std::round(out[i] * 64), -127.0f, 127.0f) / 64;
  return out;
}

/// Stores n_tokens keys and values through a scattered block table, then attends from every token causally.
std::vector<float> run_attention(Bench& b, const Case& c, uint32_t rows_at_once, uint32_t first_row = 0) {
  compute::KvShape shape;
  shape.layers = {{c.kv_heads, c.k_dim, c.v_dim}, {c.kv_heads, c.k_dim, c.v_dim}};
  shape.type_k = shape.type_v = c.type;
  shape.rounded = c.rounded;
  auto kv = b.backend->make_kv_store(shape).value();
  const uint32_t n_blocks = (c.n_tokens + kKvBlockTokens - 1) / kKvBlockTokens;
  REQUIRE(kv->grow(n_blocks + 3));
  std::vector<uint32_t> blocks, slots;
  for (uint32_t i = 0; i < n_blocks; ++i) blocks.push_back((i * 5 + 2) % (n_blocks + 3));
  if ((n_blocks + 3) % 5 == 0) std::iota(blocks.begin(), blocks.end(), 1u);
  for (uint32_t t = 0; t < c.n_tokens; ++t)
    slots.push_back(blocks[t / kKvBlockTokens] * kKvBlockTokens + t % kKvBlockTokens);
  Mat k = b.mat(c.n_tokens, c.kv_heads * c.k_dim, cached_floats(c.n_tokens * c.kv_heads, c.k_dim, c.type, 1));
  Mat v = b.mat(c.n_tokens, c.kv_heads * c.v_dim, cached_floats(c.n_tokens * c.kv_heads, c.v_dim, c.type, 2));
  Mat q = b.mat(c.n_tokens, c.heads * c.k_dim, random_floats(c.n_tokens * c.heads * c.k_dim, 3));
  Mat out = b.mat(c.n_tokens, c.heads * c.v_dim);
  b.stream->kv_store(*kv, 1, k, v, slots);
  compute::AttentionShape attention{c.heads, c.kv_heads, c.k_dim, c.v_dim, 0.3f, c.softcap};
  const auto sinks = random_floats(c.heads, 4, 20);  // some far above all scores, some far below
  if (c.sinks) attention.sinks = &b.weight(view_of(sinks, c.heads, 1), compute::Usage::vector);
  for (uint32_t from = first_row; from < c.n_tokens; from += rows_at_once) {
    const uint32_t n = std::min(rows_at_once, c.n_tokens - from);
    std::vector<compute::AttentionRow> rows;
    for (uint32_t t = from; t < from + n; ++t)
      rows.push_back({blocks.data(), c.window && t + 1 > c.window ? t + 1 - c.window : 0, t + 1});
    b.stream->attention(*kv, 1, attention, q.slice(from, n), rows, out.slice(from, n));
  }
  return b.get(out.slice(first_row, c.n_tokens - first_row));
}

/// Of the differences, relative to that of b.
double relative_rms(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

}  // namespace

TEST_CASE("attention equals the reference's, and rows do not depend on the rows beside them") {
  const Case cases[] = {
      {4, 4, 8, 8, 40, 0, KvType::f32, 0},
      {8, 1, 64, 64, 70, 0, KvType::f16, 0},
      {6, 2, 20, 24, 65, 13, KvType::f16, 0},
      {8, 2, 48, 16, 100, 40, KvType::f32, 5},
      {3, 3, 5, 7, 33, 0, KvType::f16, 0},
      {32, 2, 16, 16, 64, 0, KvType::f16, 0},
      {8, 1, 64, 64, 70, 0, KvType::q8_0, 0, false, 2e-3},
      {6, 2, 32, 96, 65, 13, KvType::q8_0, 0, false, 2e-3},
      {5, 1, 64, 32, 90, 0, KvType::q8_0, 4, false, 2e-3},
      {8, 1, 64, 64, 70, 0, KvType::f16, 0, true, 4e-3},
      {6, 2, 20, 24, 65, 13, KvType::f16, 0, true, 4e-3},
      {40, 1, 32, 40, 50, 20, KvType::f16, 3, true, 4e-3},
      {6, 2, 20, 24, 65, 13, KvType::f16, 0, false, 1e-5, true},
      {8, 1, 64, 64, 70, 0, KvType::f32, 0, false, 1e-5, true},
      {8, 1, 64, 64, 70, 0, KvType::f16, 0, true, 4e-3, true},
  };
  on_every_target([&](base::ThreadPool& pool) {
    for (const Case& c : cases) {
      CAPTURE(c.heads);
      CAPTURE(c.k_dim);
      CAPTURE(static_cast<int>(c.type));
      Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
      const auto all = run_attention(cpu, c, 1000);
      CHECK(largest_difference(all, run_attention(ref, c, 1000)) < c.tolerance);
      CHECK(all == run_attention(cpu, c, 1));
      CHECK(all == run_attention(cpu, c, 7));
    }
  });
}

TEST_CASE("codes of 16 bits are as close to the exact result as half precision") {
  on_every_target([&](base::ThreadPool& pool) {
    Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
    const Case exact{8, 2, 64, 64, 200, 0, KvType::f32, 0}, half{8, 2, 64, 64, 200, 0, KvType::f16, 0};
    const Case coded{8, 2, 64, 64, 200, 0, KvType::f16, 0, true};
    const auto wanted = run_attention(ref, exact, 1000);
    CHECK(relative_rms(run_attention(cpu, coded, 1000), wanted) <
          1.5 * relative_rms(run_attention(ref, half, 1000), wanted));
  });
}

TEST_CASE("codes of 4 bits lose no more than Q4_0") {
  on_every_target([&](base::ThreadPool& pool) {
    Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
    const Case exact{8, 2, 64, 64, 200, 0, KvType::f32, 0}, coded{8, 2, 64, 64, 200, 0, KvType::q4_0, 0};
    const auto wanted = run_attention(ref, exact, 1000), got = run_attention(cpu, coded, 1000);
    CHECK(relative_rms(got, wanted) < 1.02 * relative_rms(run_attention(ref, coded, 1000), wanted));
    CHECK(got == run_attention(cpu, coded, 1));
  });
}

TEST_CASE("many keys: the same result from one thread and from several, which divide the keys") {
  auto one = base::ThreadPool::create(1).value(), three = base::ThreadPool::create(3).value();
  for (const KvType type : {KvType::f32, KvType::f16, KvType::q8_0}) {
    CAPTURE(static_cast<int>(type));
    const Case c{
        8, 2, 32, 32, 1700, type == KvType::f32 ? 1100u : 0u, type, 0, true, type == KvType::f32 ? 1e-5 : 4e-3, true};
    Bench alone(cpu::make_backend(*one)), together(cpu::make_backend(*three)), ref(reference::make_backend());
    const auto divided = run_attention(together, c, 1, 1690);
    CHECK(divided == run_attention(alone, c, 1, 1690));
    CHECK(divided == run_attention(alone, c, 1000, 1690));
    CHECK(largest_difference(divided, run_attention(ref, c, 1000, 1690)) < c.tolerance);
  }
}

TEST_CASE("cells behind a row's last key may hold anything") {
  auto pool = base::ThreadPool::create(1).value();
  for (const KvType type : {KvType::f32, KvType::f16, KvType::q8_0, KvType::q4_0}) {
    for (const bool rounded : {false, true}) {
      std::vector<float> results[2];
      for (int stale = 0; stale < 2; ++stale) {
        Bench cpu(cpu::make_backend(*pool));
        compute::KvShape shape;
        shape.layers = {{1, 32, 32}};
        shape.type_k = shape.type_v = type;
        shape.rounded = rounded;
        auto kv = cpu.backend->make_kv_store(shape).value();
        REQUIRE(kv->grow(1));
        if (stale) {
          const std::vector<std::byte> garbage(kv->block_bytes(), std::byte{0xFF});
          kv->write_block(0, garbage);
        }
        const uint32_t slots[] = {0, 1, 2}, blocks[] = {0};
        Mat k = cpu.mat(3, 32, random_floats(96, 1)), v = cpu.mat(3, 32, random_floats(96, 2));
        cpu.stream->kv_store(*kv, 0, k, v, slots);
        Mat q = cpu.mat(1, 64, random_floats(64, 3)), out = cpu.mat(1, 64);
        const compute::AttentionRow row{blocks, 0, 3};
        cpu.stream->attention(*kv, 0, {2, 1, 32, 32, 0.2f, 0}, q, {&row, 1}, out);
        results[stale] = cpu.get(out);
      }
      CHECK(results[0] == results[1]);
    }
  }
}

TEST_CASE("moving and copying cache contents keeps them") {
  auto pool = base::ThreadPool::create(1).value();
  for (const KvType type : {KvType::f32, KvType::f16, KvType::q8_0, KvType::q4_0}) {
    for (const bool rounded : {false, true}) {
      CAPTURE(static_cast<int>(type));
      Bench cpu(cpu::make_backend(*pool));
      compute::KvShape shape;
      shape.layers = {{2, 8, 12}, {1, 44, 4}};
      shape.type_k = shape.type_v = type;
      shape.rounded = rounded;
      auto kv = cpu.backend->make_kv_store(shape).value();
      REQUIRE(kv->grow(3));
      std::vector<std::byte> block(kv->block_bytes()), other(kv->block_bytes()), empty(kv->block_bytes());
      kv->read_block(1, 0, compute::kKvBlockTokens, empty);
      const uint32_t slots[] = {5};
      cpu.stream->kv_store(*kv, 0, cpu.mat(1, 16, random_floats(16, 1)), cpu.mat(1, 24, random_floats(24, 2)), slots);
      cpu.stream->kv_store(*kv, 1, cpu.mat(1, 44, random_floats(44, 3)), cpu.mat(1, 4, random_floats(4, 4)), slots);
      REQUIRE(cpu.stream->finish());
      kv->read_block(0, 0, compute::kKvBlockTokens, block);
      CHECK(block != empty);
      kv->copy_block(0, 2);
      kv->read_block(2, 0, compute::kKvBlockTokens, other);
      CHECK(block == other);
      kv->move_slot(5, 32 + 8);  // to block 1, where the cell is clean, and over it to another place
      kv->move_slot(32 + 8, 32 + 21);
      kv->copy_block(1, 2);
      kv->move_slot(32 + 21, 64 + 5);
      kv->read_block(2, 0, compute::kKvBlockTokens, other);
      const uint32_t blocks_a[] = {0}, blocks_b[] = {2};
      for (uint32_t layer = 0; layer < 2; ++layer) {
        const uint32_t k_dim = shape.layers[layer].k_dim, v_dim = shape.layers[layer].v_dim;
        const uint32_t heads = shape.layers[layer].n_heads;
        Mat q = cpu.mat(1, heads * k_dim, random_floats(heads * k_dim, 5));
        Mat a = cpu.mat(1, heads * v_dim), b = cpu.mat(1, heads * v_dim);
        const compute::AttentionRow row_a{blocks_a, 5, 6}, row_b{blocks_b, 5, 6};
        cpu.stream->attention(*kv, layer, {heads, heads, k_dim, v_dim, 1, 0}, q, {&row_a, 1}, a);
        cpu.stream->attention(*kv, layer, {heads, heads, k_dim, v_dim, 1, 0}, q, {&row_b, 1}, b);
        CHECK(cpu.get(a) == cpu.get(b));
      }
      kv->write_block(1, block);
      kv->read_block(1, 0, compute::kKvBlockTokens, other);
      CHECK(block == other);
    }
  }
}
