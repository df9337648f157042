// Mixtures of experts on the CPU: the choice against the reference backend's, products with experts bit for bit against
// plain products with each expert's weights, whatever rows share the call.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "lib/quant/format.h"
#include "lib/reference/backend.h"
#include "tests/cpu/fixture.h"
#include "tests/cpu/ordinary_bytes.h"

using namespace quern;
using namespace quern::test;
using compute::ExpertTarget;
using compute::Gating;
using compute::Mat;
using compute::Routing;
using compute::Usage;

namespace {

struct Choice {
  std::vector<float> experts, weights;
};

Choice route(Bench& b, const std::vector<float>& scores, uint32_t rows, uint32_t n_used, Routing routing,
             const std::vector<float>& choice_bias = {}) {
  const auto n = static_cast<uint32_t>(scores.size() / rows);
  if (!choice_bias.empty()) routing.choice_bias = &b.weight(view_of(choice_bias, n, 1), Usage::vector);
  const Mat experts = b.mat(rows, n_used), weights = b.mat(rows, n_used);
  b.stream->route(b.mat(rows, n, scores), routing, experts, weights);
  return {b.get(experts), b.get(weights)};
}

Routing routing_of(Gating gating, bool normalize) {
  Routing out;
  out.gating = gating;
  out.normalize = normalize;
  return out;
}

/// Some experts of one format, and a choice of them for some rows; experts 2 and 5 are chosen by none.
struct Problem {
  static constexpr uint32_t kExperts = 7, kUsed = 3, kRows = 26, kCols = 512, kOut = 37;
  const quant::FormatInfo& format;
  uint64_t row_bytes;
  std::vector<std::byte> bytes;
  std::vector<float> x, choice, biases;

  explicit Problem(const quant::FormatInfo& f)
      : format(f),
        row_bytes(uint64_t{kCols} / f.block_elems * f.block_bytes),
        bytes(ordinary_bytes(row_bytes * kOut * kExperts)),
        x(random_floats(size_t{kRows} * kUsed * kCols, 1)),
        biases(random_floats(size_t{kExperts} * kOut, 2)) {
    constexpr float kChosen[] = {0, 1, 3, 4, 6};
    for (uint32_t r = 0; r < kRows; ++r) {
      for (uint32_t j = 0; j < kUsed; ++j) choice.push_back(kChosen[(r * r + j) % 5]);
    }
  }
  tensor::TensorView view(uint32_t expert) const {
    tensor::TensorView out;
    out.data = bytes.data() + expert * kOut * row_bytes;
    out.type = format.type;
    out.shape = {{kCols, kOut, 1, 1}, 2};
    out.row_bytes = row_bytes;
    return out;
  }
  /// Row i of x for output i, or row i / kUsed.
  const float* input(uint32_t i, bool own_rows) const { return x.data() + uint64_t{own_rows ? i : i / kUsed} * kCols; }
};

using Weights = std::vector<std::unique_ptr<compute::Weight>>;

std::vector<float> run(base::ThreadPool& pool, const Problem& p, bool own_rows, uint32_t rows_at_once, Usage usage) {
  Bench b(cpu::make_backend(pool));
  Weights weights, biases;
  for (uint32_t e = 0; e < Problem::kExperts; ++e) {
    weights.push_back(b.backend->prepare(p.view(e), usage).value());
    const std::vector<float> bias(p.biases.begin() + e * Problem::kOut, p.biases.begin() + (e + 1) * Problem::kOut);
    biases.push_back(b.backend->prepare(view_of(bias, Problem::kOut, 1), Usage::vector).value());
  }
  const uint32_t per_row = own_rows ? Problem::kUsed : 1;
  const Mat x = b.mat(Problem::kRows * per_row, Problem::kCols,
                      {p.x.begin(), p.x.begin() + uint64_t{Problem::kRows} * per_row * Problem::kCols});
  const Mat choice = b.mat(Problem::kRows, Problem::kUsed, p.choice);
  const Mat plain = b.mat(Problem::kRows * Problem::kUsed, Problem::kOut), biased = plain;
  const Mat with_bias = b.mat(biased.rows, biased.cols);
  for (uint32_t from = 0; from < Problem::kRows; from += rows_at_once) {
    const uint32_t n = std::min(rows_at_once, Problem::kRows - from);
    const auto part = [&](Mat m) { return m.slice(from * Problem::kUsed, n * Problem::kUsed); };
    const ExpertTarget targets[] = {{weights, {}, part(plain)}, {weights, biases, part(with_bias)}};
    b.stream->matmul_experts(x.slice(from * per_row, n * per_row), choice.slice(from, n), targets);
  }
  auto out = b.get(plain);
  const auto second = b.get(with_bias);
  out.insert(out.end(), second.begin(), second.end());
  return out;
}

std::vector<float> one_by_one(base::ThreadPool& pool, const Problem& p, bool own_rows) {
  Bench b(cpu::make_backend(pool));
  std::vector<float> out;
  for (const bool with_bias : {false, true}) {
    for (uint32_t i = 0; i < Problem::kRows * Problem::kUsed; ++i) {
      const auto e = static_cast<uint32_t>(p.choice[i]);
      const Mat result = b.mat(1, Problem::kOut);
      const float* const in = p.input(i, own_rows);
      b.stream->matmul(b.mat(1, Problem::kCols, {in, in + Problem::kCols}), b.weight(p.view(e), Usage::matmul), result);
      for (const float y : b.get(result)) {
        const size_t o = out.size() % Problem::kOut;
        out.push_back(with_bias ? y + p.biases[e * Problem::kOut + o] : y);
      }
      b.buffers.clear();
      b.weights.clear();
    }
  }
  return out;
}

}  // namespace

TEST_CASE("the choice of experts equals the reference's") {
  auto pool = base::ThreadPool::create(1).value();
  Bench cpu(cpu::make_backend(*pool)), ref(reference::make_backend());
  constexpr uint32_t kRows = 9;
  for (const uint32_t n : {1u, 8u, 61u, 256u}) {
    for (const uint32_t n_used : {1u, 4u, 8u}) {
      if (n_used > n) continue;
      for (const Gating gating : {Gating::softmax, Gating::sigmoid, Gating::softmax_of_chosen}) {
        for (const bool normalize : {false, true}) {
          Routing routing;
          routing.gating = gating;
          routing.normalize = normalize;
          routing.scale = normalize ? 2.5f : 1.0f;
          const auto scores = random_floats(kRows * n, n, 3);
          for (const bool biased : {false, true}) {
            const auto bias = biased ? random_floats(n, 5) : std::vector<float>();
            for (const uint32_t n_groups : {1u, n == 256 ? 8u : 1u}) {
              routing.n_groups = n_groups;
              routing.n_groups_used = n_groups == 1 ? 1 : 3;
              const Choice got = route(cpu, scores, kRows, n_used, routing, bias);
              const Choice wanted = route(ref, scores, kRows, n_used, routing, bias);
              CHECK(got.experts == wanted.experts);
              CHECK(largest_difference(got.weights, wanted.weights) < 1e-6);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("the choice of experts: equal scores, scores that are no numbers, vanishing weights") {
  auto pool = base::ThreadPool::create(1).value();
  Bench cpu(cpu::make_backend(*pool)), ref(reference::make_backend());
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  for (Bench* b : {&cpu, &ref}) {
    const Choice ties = route(*b, {1, 5, 5, 1, 5}, 1, 4, routing_of(Gating::softmax_of_chosen, true));
    CHECK(ties.experts == std::vector<float>{1, 2, 4, 0});
    const Choice odd = route(*b, {kNan, -kInf, 3, kNan}, 1, 4, routing_of(Gating::sigmoid, false));
    CHECK(odd.experts == std::vector<float>{2, 0, 1, 3});
    const Choice none = route(*b, {-200, -300, -250}, 1, 2, routing_of(Gating::sigmoid, true));
    CHECK(none.experts == std::vector<float>{0, 2});
    for (const float weight : none.weights) CHECK(std::isfinite(weight));
  }
}

TEST_CASE("experts are chosen within the groups with the highest two weights") {
  auto pool = base::ThreadPool::create(1).value();
  Bench cpu(cpu::make_backend(*pool)), ref(reference::make_backend());
  Routing routing = routing_of(Gating::sigmoid, false);
  routing.n_groups = 3;
  for (Bench* b : {&cpu, &ref}) {
    const std::vector<float> scores = {9, -9, -9, 2, 3, -9, 1, 2.5f, 2};  // the highest is in a group that loses
    routing.n_groups_used = 1;
    CHECK(route(*b, scores, 1, 3, routing).experts == std::vector<float>{4, 3, 5});
    routing.n_groups_used = 2;
    CHECK(route(*b, scores, 1, 3, routing).experts == std::vector<float>{4, 7, 3});
    const std::vector<float> bias = {2, 0, 0, 0, 0, 0, 0, 0, 0};
    CHECK(route(*b, scores, 1, 3, routing, bias).experts == std::vector<float>{0, 4, 3});
  }
}

TEST_CASE("products with experts are those with each expert's weights, in every format") {
  auto one = base::ThreadPool::create(1).value(), three = base::ThreadPool::create(3).value();
  for (const quant::FormatInfo& format : quant::formats()) {
    CAPTURE(format.name);
    const Problem p(format);
    for (const bool own_rows : {false, true}) {
      const auto wanted = one_by_one(*one, p, own_rows);
      CHECK(run(*one, p, own_rows, Problem::kRows, Usage::matmul) == wanted);
      CHECK(run(*three, p, own_rows, Problem::kRows, Usage::matmul) == wanted);
      CHECK(run(*three, p, own_rows, 1, Usage::matmul) == wanted);
      CHECK(run(*three, p, own_rows, 11, Usage::matmul_in_source) == wanted);
    }
  }
}

TEST_CASE("experts' results are combined as in the reference") {
  on_every_target([](base::ThreadPool& pool) {
    Bench cpu(cpu::make_backend(pool)), ref(reference::make_backend());
    for (const uint32_t n : {1u, 33u, 172u}) {
      const uint32_t rows = 5, n_used = 3;
      const auto parts = random_floats(rows * n_used * n, n), weights = random_floats(rows * n_used, n + 1);
      std::vector<float> got[2];
      for (Bench* b : {&cpu, &ref}) {
        const Mat out = b->mat(rows, n);
        b->stream->combine(b->mat(rows * n_used, n, parts), b->mat(rows, n_used, weights), out);
        got[b == &ref] = b->get(out);
      }
      CHECK(largest_difference(got[0], got[1]) < 1e-5);
    }
  });
}

TEST_CASE("misuse of the verbs of experts is refused") {
  auto pool = base::ThreadPool::create(1).value();
  const auto refused = [&](auto&& misuse) {
    Bench b(cpu::make_backend(*pool));
    misuse(b);
    return !b.stream->finish().has_value();
  };
  const std::vector<float> values(64, 1.0f);
  CHECK(refused([&](Bench& b) { b.stream->route(b.mat(2, 3), {}, b.mat(2, 4), b.mat(2, 4)); }));
  CHECK(refused([&](Bench& b) { b.stream->route(b.mat(2, 3), {}, b.mat(1, 2), b.mat(1, 2)); }));
  CHECK(refused([&](Bench& b) { b.stream->combine(b.mat(5, 3), b.mat(2, 2), b.mat(2, 3)); }));
  CHECK(refused([&](Bench& b) { b.stream->softcap(b.mat(2, 2), 0); }));
  CHECK(refused([&](Bench& b) { b.stream->scale_rows(b.mat(2, 2), b.mat(2, 2)); }));
  CHECK(refused([&](Bench& b) {
    Weights weights;
    weights.push_back(b.backend->prepare(view_of(values, 32, 2), Usage::matmul).value());
    const ExpertTarget target{weights, {}, b.mat(4, 2)};
    b.stream->matmul_experts(b.mat(3, 32), b.mat(2, 2), {&target, 1});  // neither 2 nor 4 rows
  }));
  CHECK(refused([&](Bench& b) {
    Weights weights;
    weights.push_back(b.backend->prepare(view_of(values, 32, 2), Usage::matmul).value());
    weights.push_back(b.backend->prepare(view_of(values, 16, 4), Usage::matmul).value());
    const ExpertTarget target{weights, {}, b.mat(4, 2)};
    b.stream->matmul_experts(b.mat(2, 32), b.mat(2, 2), {&target, 1});  // experts of two shapes
  }));
}
