// Sums of squares, and which of them belong to which weights.
#include "lib/convert/activations.h"

#include <doctest/doctest.h>

#include <random>

using namespace quern;
using namespace quern::convert;

namespace {

struct FakeWeight final : compute::Weight {
  explicit FakeWeight(uint32_t cols) : Weight(tensor::DType::f32, 1, cols, compute::Usage::matmul) {}
  uint64_t size_bytes() const override { return 0; }
};

std::vector<float> random_floats(size_t n) {
  std::mt19937 engine(7);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> out(n);
  for (float& value : out) value = normal(engine);
  return out;
}

}  // namespace

TEST_CASE("sums of squares by column, however the rows come") {
  constexpr uint32_t kRows = 37, kCols = 2500, kStride = 2600;
  const auto x = random_floats(size_t{kRows} * kStride);
  std::vector<double> expected(kCols);
  for (uint32_t r = 0; r < kRows; ++r) {
    for (uint32_t c = 0; c < kCols; ++c) expected[c] += std::pow(static_cast<double>(x[r * kStride + c]), 2);
  }
  for (const uint32_t batch : {kRows, 1u, 5u}) {
    SquareSums sums(kCols);
    for (uint32_t r = 0; r < kRows; r += batch) {
      sums.add({x.data() + r * kStride, std::min(batch, kRows - r), kCols, kStride});
    }
    CHECK(sums.n_rows() == kRows);
    CHECK(std::vector<double>(sums.sums().begin(), sums.sums().end()) == expected);  // to the bit
  }
}

TEST_CASE("weights that share an input share a sum; others are not watched") {
  const FakeWeight q(3), k(3), down(2), other(3);
  ActivationCollector<SquareSums> collector({{&q, {"q"}}, {&k, {"k"}}, {&down, {"down"}}});
  const float x[] = {1, 2, 3, 4, 5, 6};
  const auto show = [&](std::vector<const compute::Weight*> weights, uint32_t rows, uint32_t cols) {
    std::vector<compute::MatmulTarget> targets;
    for (const auto* weight : weights) targets.push_back({weight, nullptr, {}});
    collector.observe({x, rows, cols, cols}, targets);
  };
  show({&q, &other, &k}, 2, 3);
  show({&down}, 1, 2);
  show({&other}, 2, 3);
  show({&q, &other, &k}, 1, 3);
  show({&k}, 1, 3);  // alone this time: a sum of its own
  const auto groups = collector.take();
  REQUIRE(groups.size() == 3);
  CHECK(groups[0].weights == std::vector<WatchedWeight>{{"q"}, {"k"}});
  CHECK(groups[0].sum.n_rows() == 3);
  CHECK(groups[0].sum.sums()[2] == 9 + 36 + 9);
  CHECK(groups[1].weights == std::vector<WatchedWeight>{{"down"}});
  CHECK(groups[1].sum.sums()[1] == 4);
  CHECK(groups[2].weights == std::vector<WatchedWeight>{{"k"}});
  CHECK(collector.take().empty());
  show({&down}, 1, 2);
  CHECK(collector.take().at(0).sum.n_rows() == 1);
}

TEST_CASE("the parts of a fused weight count once") {
  const FakeWeight q(2), k(2), v(2);
  ActivationCollector<SquareSums> collector({{&q, {"qkv"}}, {&k, {"qkv"}}, {&v, {"v"}}});
  const float x[] = {1, 2};
  const compute::MatmulTarget targets[] = {{&q, nullptr, {}}, {&k, nullptr, {}}, {&v, nullptr, {}}};
  collector.observe({x, 1, 2, 2}, targets);
  const auto groups = collector.take();
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].weights == std::vector<WatchedWeight>{{"qkv"}, {"v"}});
  CHECK(groups[0].sum.n_rows() == 1);
}

TEST_CASE("experts have sums of their own") {
  const auto experts = [] {
    std::vector<std::unique_ptr<compute::Weight>> out;
    for (int i = 0; i < 3; ++i) out.push_back(std::make_unique<FakeWeight>(2));
    return out;
  };
  const auto gate = experts(), up = experts();
  WatchedWeights watched;
  for (size_t i = 0; i < 3; ++i) {
    watched[gate[i].get()] = {"gate", i, 3};
    watched[up[i].get()] = {"up", i, 3};
  }
  ActivationCollector<SquareSums> collector(watched);
  const float x[] = {1, 2, 3, 4, 5, 6};
  const compute::ExpertRow rows[] = {{0, 2}, {0, 0}, {1, 2}, {2, 2}};
  const compute::ExpertTarget targets[] = {{gate, {}, {}}, {up, {}, {}}};
  collector.observe_experts({x, 3, 2, 2}, rows, targets);
  const auto groups = collector.take();
  REQUIRE(groups.size() == 2);  // expert 1 saw nothing
  CHECK(groups[0].weights == std::vector<WatchedWeight>{{"gate", 0, 3}, {"up", 0, 3}});
  CHECK(groups[0].sum.n_rows() == 1);
  CHECK(groups[0].sum.sums()[1] == 4);
  CHECK(groups[1].weights == std::vector<WatchedWeight>{{"gate", 2, 3}, {"up", 2, 3}});
  CHECK(groups[1].sum.n_rows() == 3);
  CHECK(groups[1].sum.sums()[0] == 1 + 9 + 25);
}
