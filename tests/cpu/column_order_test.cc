// Weights whose elements lie in another order than the columns of their input: bit for bit the product of the input
// with its columns moved, and equal to the reference backend's.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "lib/quant/format.h"
#include "lib/reference/backend.h"
#include "tests/cpu/fixture.h"
#include "tests/cpu/ordinary_bytes.h"

using namespace quern;
using namespace quern::test;
using compute::ExpertTarget;
using compute::Mat;
using compute::MatmulTarget;
using compute::Usage;

namespace {

constexpr uint32_t kCols = 512, kOut = 37, kRows = 11;

std::vector<uint32_t> random_order(uint32_t seed) {
  std::vector<uint32_t> order(kCols);
  std::iota(order.begin(), order.end(), 0u);
  std::shuffle(order.begin(), order.end(), std::mt19937(seed));
  return order;
}

std::vector<float> reordered(const std::vector<float>& x, const std::vector<uint32_t>& order) {
  std::vector<float> out(x.size());
  for (size_t i = 0; i < x.size(); ++i) out[i] = x[i / kCols * kCols + order[i % kCols]];
  return out;
}

struct Bytes {
  const quant::FormatInfo& format;
  uint64_t row_bytes;
  std::vector<std::byte> data;

  explicit Bytes(const quant::FormatInfo& f, uint32_t n)
      : format(f),
        row_bytes(uint64_t{kCols} / f.block_elems * f.block_bytes),
        data(ordinary_bytes(row_bytes * kOut * n)) {}
  tensor::TensorView view(uint32_t i, const uint32_t* order) const {
    tensor::TensorView out;
    out.data = data.data() + i * kOut * row_bytes;
    out.type = format.type;
    out.shape = {{kCols, kOut, 1, 1}, 2};
    out.row_bytes = row_bytes;
    out.column_order = order;
    return out;
  }
};

const char* const kFormats[] = {"F32", "Q4_0", "Q4_K"};  // one for each kind of packed activations

/// The products of one call with several weights.
std::vector<std::vector<float>> products(Bench& b, const std::vector<float>& x,
                                         const std::vector<tensor::TensorView>& views, Usage usage) {
  std::vector<MatmulTarget> targets;
  for (const auto& view : views) targets.push_back({&b.weight(view, usage), nullptr, b.mat(kRows, kOut)});
  b.stream->matmul(b.mat(kRows, kCols, x), targets);
  std::vector<std::vector<float>> out;
  for (const auto& target : targets) out.push_back(b.get(target.out));
  return out;
}

double largest(const std::vector<float>& x) {
  float out = 0;
  for (const float v : x) out = std::max(out, std::fabs(v));
  return out;
}

using Weights = std::vector<std::unique_ptr<compute::Weight>>;

}  // namespace

TEST_CASE("products with weights in an order of their own") {
  const auto order = random_order(1), same = order, other = random_order(2);
  const auto x = random_floats(size_t{kRows} * kCols, 3);
  on_every_target([&](base::ThreadPool& pool) {
    for (const char* name : kFormats) {
      CAPTURE(name);
      const Bytes bytes(*quant::find_format(static_cast<tensor::DType>(*quant::find_type(name))), 1);
      const std::vector<tensor::TensorView> views = {bytes.view(0, order.data()), bytes.view(0, nullptr),
                                                     bytes.view(0, other.data()), bytes.view(0, same.data())};
      Bench b(cpu::make_backend(pool)), ref(reference::make_backend());
      const auto got = products(b, x, views, Usage::matmul);
      const std::vector<tensor::TensorView> plain = {bytes.view(0, nullptr)};
      CHECK(got[0] == products(b, reordered(x, order), plain, Usage::matmul)[0]);
      CHECK(got[1] == products(b, x, plain, Usage::matmul)[0]);
      CHECK(got[2] == products(b, reordered(x, other), plain, Usage::matmul)[0]);
      CHECK(got[3] == got[0]);
      CHECK(got[0] != got[1]);
      CHECK(got == products(b, x, views, Usage::matmul_in_source));
      const auto wanted = products(ref, x, views, Usage::matmul);
      for (size_t i = 0; i < views.size(); ++i) {
        CHECK(largest_difference(got[i], wanted[i]) < 0.02 * largest(wanted[i]));
      }
    }
  });
}

TEST_CASE("experts with an order each, and experts without") {
  constexpr uint32_t kExperts = 4, kUsed = 2;
  std::vector<std::vector<uint32_t>> orders;
  for (uint32_t e = 0; e < kExperts; ++e) orders.push_back(random_order(e));
  const auto x = random_floats(size_t{kRows} * kCols, 3);
  std::vector<float> choice;
  for (uint32_t i = 0; i < kRows * kUsed; ++i) choice.push_back(static_cast<float>(i * i % 3));  // never expert 3
  on_every_target([&](base::ThreadPool& pool) {
    for (const char* name : kFormats) {
      CAPTURE(name);
      const Bytes bytes(*quant::find_format(static_cast<tensor::DType>(*quant::find_type(name))), kExperts);
      const auto run = [&](Bench& b, uint32_t at_once) {
        Weights ordered, again, plain;
        for (uint32_t e = 0; e < kExperts; ++e) {
          const uint32_t* order = e == 1 ? nullptr : orders[e].data();
          ordered.push_back(b.backend->prepare(bytes.view(e, order), Usage::matmul).value());
          again.push_back(b.backend->prepare(bytes.view(e, order), Usage::matmul).value());
          plain.push_back(b.backend->prepare(bytes.view(e, nullptr), Usage::matmul).value());
        }
        const Mat in = b.mat(kRows, kCols, x), experts = b.mat(kRows, kUsed, choice);
        const Mat out[] = {b.mat(kRows * kUsed, kOut), b.mat(kRows * kUsed, kOut), b.mat(kRows * kUsed, kOut)};
        for (uint32_t from = 0; from < kRows; from += at_once) {
          const uint32_t n = std::min(at_once, kRows - from);
          const auto part = [&](const Mat& m) { return m.slice(from * kUsed, n * kUsed); };
          const ExpertTarget targets[] = {
              {ordered, {}, part(out[0])}, {again, {}, part(out[1])}, {plain, {}, part(out[2])}};
          b.stream->matmul_experts(in.slice(from, n), experts.slice(from, n), targets);
        }
        std::vector<std::vector<float>> results;
        for (const Mat& m : out) results.push_back(b.get(m));
        return results;
      };
      Bench b(cpu::make_backend(pool)), ref(reference::make_backend());
      const auto got = run(b, kRows), wanted = run(ref, kRows);
      CHECK(got == run(b, 1));
      CHECK(got[0] == got[1]);
      for (size_t i = 0; i < got.size(); ++i) {
        CHECK(largest_difference(got[i], wanted[i]) < 0.02 * largest(wanted[i]));
      }
      for (uint32_t i = 0; i < kRows * kUsed; ++i) {  // each output row: the plain product of its expert
        const auto e = static_cast<uint32_t>(choice[i]);
        const std::vector<float> row(x.begin() + i / kUsed * kCols, x.begin() + (i / kUsed + 1) * kCols);
        const Mat y = b.mat(1, kOut);
        b.stream->matmul(b.mat(1, kCols, e == 1 ? row : reordered(row, orders[e])),
                         b.weight(bytes.view(e, nullptr), Usage::matmul), y);
        const auto single = b.get(y);
        CHECK(std::equal(single.begin(), single.end(), got[0].begin() + i * kOut));
      }
    }
  });
}
