// The steps that choose: greedy and dist.
#include <doctest/doctest.h>

#include "tests/sample/support.h"

using namespace quern;
using namespace quern::sample;
using namespace quern::sample::testing;

TEST_CASE("greedy takes the largest logit, of equal ones the first") {
  const auto vocab = FakeVocab::of_size(4);
  const auto step = kGreedyStep.create({{}, vocab, 1});
  const auto chosen = [&](const std::vector<float>& logits) {
    Candidates c;
    c.load(logits);
    step->apply(c);
    CHECK(c.size() == 1);
    CHECK(c[c.chosen()].probability == 1);
    return c[c.chosen()].token;
  };
  CHECK(chosen({1, 3, 2, 3}) == 1);
  CHECK(chosen({NAN, -5, NAN, -4}) == 3);
  CHECK(chosen({NAN, NAN, -INFINITY, NAN}) == 0);
  CHECK(chosen({1, INFINITY, 2, INFINITY}) == 1);
}

/// Pearson's statistic of n draws against the logits' distribution; tokens are lumped until 5 are expected.
static double chi_square(const std::vector<float>& logits, uint32_t seed, int n, int& degrees) {
  const auto vocab = FakeVocab::of_size(static_cast<int32_t>(logits.size()));
  const auto step = kDistStep.create({{}, vocab, seed});
  std::vector<int> counts(logits.size());
  for (int i = 0; i < n; ++i) {
    Candidates c;
    c.load(logits);
    step->apply(c);
    ++counts[static_cast<size_t>(c[c.chosen()].token)];
  }
  const auto p = oracle_softmax(logits);
  double chi2 = 0, expected = 0, found = 0;
  degrees = -1;
  for (const int32_t t : oracle_ranking(logits)) {
    expected += p[static_cast<size_t>(t)] * n;
    found += counts[static_cast<size_t>(t)];
    if (expected < 5) continue;
    chi2 += (found - expected) * (found - expected) / expected;
    expected = found = 0;
    ++degrees;
  }
  return chi2;
}

TEST_CASE("dist draws by the probabilities: chi-square") {
  int degrees = 0;
  for (const uint32_t seed : {1u, 2u, 3u}) {
    CHECK(chi_square(logits_of({0.1, 0.2, 0.3, 0.4}), seed, 50000, degrees) < 16.27);  // p = 0.001
    CHECK(degrees == 3);
    const double chi2 = chi_square(random_logits(60, seed, 1.5), seed, 50000, degrees);
    CHECK(degrees > 30);
    CHECK(chi2 < degrees + 3.3 * std::sqrt(2.0 * degrees) + 7);  // above the 0.999 quantile
    CHECK(chi2 > degrees - 3.3 * std::sqrt(2.0 * degrees));      // nor too good to be true
  }
}

TEST_CASE("dist never draws what is impossible") {
  const auto vocab = FakeVocab::of_size(5);
  const auto step = kDistStep.create({{}, vocab, 3});
  for (int i = 0; i < 2000; ++i) {
    Candidates c;
    c.load(std::vector<float>{-INFINITY, 0, NAN, -1000, -INFINITY});
    step->apply(c);
    CHECK(c[c.chosen()].token == 1);
  }
}
