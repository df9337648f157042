// Types within a size, against trying everything.
#include "lib/convert/allocate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace quern;
using convert::Choice;

namespace {

double loss_of(const std::vector<std::vector<Choice>>& tensors, const std::vector<size_t>& chosen, uint64_t& size) {
  double loss = 0;
  size = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    loss += tensors[i][chosen[i]].loss;
    size += tensors[i][chosen[i]].size_bytes;
  }
  return loss;
}

double best_loss(const std::vector<std::vector<Choice>>& tensors, uint64_t budget) {
  std::vector<size_t> chosen(tensors.size());
  double best = 1e300;
  while (true) {
    uint64_t size = 0;
    const double loss = loss_of(tensors, chosen, size);
    if (size <= budget && loss < best) best = loss;
    size_t i = 0;
    while (i < tensors.size() && ++chosen[i] == tensors[i].size()) chosen[i++] = 0;
    if (i == tensors.size()) return best;
  }
}

}  // namespace

TEST_CASE("the allocation keeps to its budget and is near the best there is") {
  std::mt19937 rng(4);
  double worst = 1;
  for (int round = 0; round < 200; ++round) {
    std::vector<std::vector<Choice>> tensors(6);
    uint64_t least = 0, most = 0;
    for (auto& choices : tensors) {
      const double scale = std::exp(static_cast<double>(rng() % 700) / 100);
      const uint64_t size = 1000 + rng() % 9000;
      for (uint32_t bits = 2; bits <= 6; ++bits) choices.push_back({bits, size * bits, scale * std::exp2(-2.0 * bits)});
      least += size * 2;
      most += size * 6;
    }
    const uint64_t budget = least + rng() % (most - least + 1);
    const auto chosen = convert::allocate(tensors, budget);
    REQUIRE(chosen);
    uint64_t size = 0;
    const double loss = loss_of(tensors, *chosen, size);
    CHECK(size <= budget);
    worst = std::max(worst, loss / best_loss(tensors, budget));
  }
  CHECK(worst < 1.6);  // of single tensors that would just not fit; with hundreds of tensors the gap vanishes
}

TEST_CASE("a budget below the smallest choices is refused; one above the largest takes the best") {
  const std::vector<std::vector<Choice>> tensors = {{{1, 100, 5}, {2, 200, 1}}, {{1, 10, 3}, {2, 30, 2}}};
  CHECK(!convert::allocate(tensors, 109));
  CHECK(convert::allocate(tensors, 110).value() == std::vector<size_t>{0, 0});
  CHECK(convert::allocate(tensors, 230).value() == std::vector<size_t>{1, 1});
  CHECK(convert::allocate(tensors, 1000).value() == std::vector<size_t>{1, 1});
}
