// The instruction set does not show in the results: all targets with fused multiply-add give the same bits. (SSE4 and
// older multiply and add apart, and round twice.) In a build for one target there is nothing to compare.
#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <vector>

#include "lib/quant/format.h"
#include "tests/cpu/fixture.h"
#include "tests/cpu/ordinary_bytes.h"

using namespace quern;
using namespace quern::test;
using compute::KvType;
using compute::Mat;

namespace {

constexpr int64_t kFused = HWY_AVX2 | HWY_AVX3 | HWY_AVX3_DL | HWY_AVX3_ZEN4 | HWY_AVX3_SPR;

/// Runs `compute` on every fused target and expects what the first one gave.
void expect_equal_bits(const std::function<std::vector<float>(base::ThreadPool&)>& compute) {
  auto pool = base::ThreadPool::create(2).value();
  std::vector<float> first;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if ((target & kFused) == 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    CAPTURE(hwy::TargetName(target));
    const auto got = compute(*pool);
    if (first.empty()) first = got;
    REQUIRE(got.size() == first.size());
    CHECK(std::memcmp(got.data(), first.data(), got.size() * sizeof(float)) == 0);
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace

TEST_CASE("products have the same bits on all targets") {
  for (const quant::FormatInfo& format : quant::formats()) {
    CAPTURE(format.name);
    constexpr uint32_t kRows = 37, kCols = 512, kTokens = 11;
    const uint64_t row_bytes = uint64_t{kCols} / format.block_elems * format.block_bytes;
    const auto bytes = ordinary_bytes(row_bytes * kRows);
    tensor::TensorView view;
    view.data = bytes.data();
    view.type = format.type;
    view.shape.ne = {kCols, kRows, 1, 1};
    view.shape.rank = 2;
    view.row_bytes = row_bytes;
    expect_equal_bits([&](base::ThreadPool& pool) {
      Bench cpu(cpu::make_backend(pool));
      Mat out = cpu.mat(kTokens, kRows);
      cpu.stream->matmul(cpu.mat(kTokens, kCols, random_floats(kTokens * kCols, 1)),
                         cpu.weight(view, compute::Usage::matmul), out);
      return cpu.get(out);
    });
  }
}

TEST_CASE("operations on rows have the same bits on all targets") {
  for (const uint32_t n : {2u, 30u, 48u, 172u, 2048u}) {
    CAPTURE(n);
    const auto weights = random_floats(n, 3);
    const auto view = view_of(weights, n, 1);
    expect_equal_bits([&](base::ThreadPool& pool) {
      Bench cpu(cpu::make_backend(pool));
      const Mat x = cpu.mat(3, n, random_floats(3 * n, 1)), y = cpu.mat(3, n, random_floats(3 * n, 2));
      const Mat out = cpu.mat(3, n);
      cpu.stream->rms_norm(x, cpu.weight(view, compute::Usage::vector), 1e-5f, out);
      cpu.stream->glu(compute::Glu::silu, out, y, out);
      cpu.stream->glu(compute::Glu::gelu, out, y, out);
      cpu.stream->softcap(out, 3);
      cpu.stream->scale(out, 1.3f);
      cpu.stream->rope(out, n, n, compute::RopePairs::halves, cpu.mat(3, n, random_floats(3 * n, 4)));
      cpu.stream->rope(out, n, n, compute::RopePairs::interleaved, cpu.mat(3, n, random_floats(3 * n, 5)));
      cpu.stream->add(out, y);
      return cpu.get(out);
    });
  }
}

TEST_CASE("attention has the same bits on all targets") {
  for (const KvType type : {KvType::f32, KvType::f16, KvType::q8_0, KvType::q4_0}) {
    for (const bool rounded : {false, true}) {
      CAPTURE(static_cast<int>(type));
      expect_equal_bits([&](base::ThreadPool& pool) {
        Bench cpu(cpu::make_backend(pool));
        constexpr uint32_t kTokens = 700, kDim = 72, kHeads = 6, kKvHeads = 2;
        compute::KvShape shape;
        shape.layers = {{kKvHeads, kDim, kDim}};
        shape.type_k = shape.type_v = type;
        shape.rounded = rounded;
        auto kv = cpu.backend->make_kv_store(shape).value();
        REQUIRE(kv->grow(kTokens / compute::kKvBlockTokens + 1));
        std::vector<uint32_t> slots, blocks;
        for (uint32_t i = 0; i < kTokens; ++i) slots.push_back(i);
        for (uint32_t i = 0; i <= kTokens / compute::kKvBlockTokens; ++i) blocks.push_back(i);
        constexpr uint32_t kWidth = kKvHeads * kDim, kRows = 5;
        cpu.stream->kv_store(*kv, 0, cpu.mat(kTokens, kWidth, random_floats(kTokens * kWidth, 1)),
                             cpu.mat(kTokens, kWidth, random_floats(kTokens * kWidth, 2)), slots);
        std::vector<compute::AttentionRow> rows;
        for (uint32_t r = 0; r < kRows; ++r) rows.push_back({blocks.data(), r, kTokens - kRows + r});
        const Mat out = cpu.mat(kRows, kHeads * kDim);
        cpu.stream->attention(*kv, 0, {kHeads, kKvHeads, kDim, kDim, 0.2f, rounded ? 20.0f : 0.0f},
                              cpu.mat(kRows, kHeads * kDim, random_floats(kRows * kHeads * kDim, 3)), rows, out);
        return cpu.get(out);
      });
    }
  }
}
