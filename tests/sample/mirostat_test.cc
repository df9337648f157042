#include <doctest/doctest.h>

#include "tests/sample/support.h"

using namespace quern;
using namespace quern::sample;
using namespace quern::sample::testing;

/// A Zipf law of the given exponent over n tokens, shuffled.
static std::vector<float> zipf(size_t n, double exponent, uint64_t seed) {
  std::vector<float> logits(n);
  for (size_t i = 0; i < n; ++i) logits[i] = static_cast<float>(-exponent * std::log(double(i + 1)));
  base::Rng rng(seed);
  for (size_t i = n - 1; i > 0; --i) std::swap(logits[i], logits[static_cast<size_t>(rng.uniform() * double(i + 1))]);
  return logits;
}

/// How many of the most probable tokens are to be kept at a limit mu, in float64 from the papers' formulas.
static size_t expected_count(int version, const std::vector<float>& logits, double mu) {
  auto p = oracle_softmax(logits);
  std::sort(p.rbegin(), p.rend());
  if (version == 2) {
    size_t kept = 0;
    while (kept < p.size() && -std::log2(p[kept]) <= mu) ++kept;
    return std::max<size_t>(kept, 1);
  }
  double tb = 0, tt = 0;
  for (size_t i = 0; i + 1 < std::min<size_t>(100, p.size()); ++i) {
    const double t = std::log(double(i + 2) / double(i + 1));
    tb += t * std::log(p[i] / p[i + 1]);
    tt += t * t;
  }
  const double s = tb / tt, e = s - 1;
  const double k = std::pow(e * std::pow(2, mu) / (1 - std::pow(double(logits.size()), -e)), 1 / s);
  return std::clamp<size_t>(static_cast<size_t>(k), 1, p.size());
}

TEST_CASE("mirostat follows its formulas step by step") {
  const auto vocab = FakeVocab::of_size(2000);
  for (const int version : {1, 2}) {
    const SamplerOptions options = {.seed = 7, .temperature = 1, .mirostat = version, .mirostat_tau = 3};
    auto chain = Chain::create(options, vocab).value();
    double mu = 2 * 3;
    for (uint64_t i = 0; i < 60; ++i) {
      const auto logits = zipf(2000, .9 + .02 * double(i % 20), i);
      const int32_t token = chain.sample(logits);
      chain.accept(token);
      const auto kept = chain.candidates(logits.size());
      CHECK(std::abs(double(kept.size()) - double(expected_count(version, logits, mu))) <= 1);
      double sum = 0, p = 0;
      for (const auto& c : kept) {
        sum += c.probability;
        if (c.token == token) p = c.probability;
      }
      CHECK(sum == doctest::Approx(1));
      REQUIRE(p > 0);
      mu -= .1 * (-std::log2(p) - 3);
    }
  }
}

TEST_CASE("mirostat brings the mean surprise to tau") {
  const auto vocab = FakeVocab::of_size(3000);
  for (const int version : {1, 2}) {
    for (const float tau : {2.f, 4.f}) {
      const SamplerOptions options = {.seed = 1, .temperature = 1, .mirostat = version, .mirostat_tau = tau};
      auto chain = Chain::create(options, vocab).value();
      const auto logits = zipf(3000, 1.1, 5);
      double surprise = 0;
      constexpr int kTokens = 1500;
      for (int i = 0; i < kTokens; ++i) {
        const int32_t token = chain.sample(logits);
        chain.accept(token);
        for (const auto& c : chain.candidates(3000))
          if (c.token == token) surprise -= std::log2(c.probability);
      }
      CHECK(surprise / kTokens == doctest::Approx(tau).epsilon(.05));
    }
  }
}

TEST_CASE("the limit moves with accepted draws only, and reset() restores it") {
  const auto vocab = FakeVocab::of_size(2000);
  const auto logits = zipf(2000, 1.0, 3);
  for (const int version : {1, 2}) {
    auto chain = Chain::create({.seed = 7, .temperature = 1, .mirostat = version, .mirostat_tau = 3}, vocab).value();
    const int32_t token = chain.sample(logits);
    const size_t kept = chain.candidates(2000).size();
    for (int i = 0; i < 5; ++i) chain.accept((token + 1) % 2000);
    for (int i = 0; i < 5; ++i) chain.sample(logits);
    CHECK(chain.candidates(2000).size() == kept);
    for (int i = 0; i < 40; ++i) chain.accept(chain.sample(logits));
    CHECK(chain.candidates(2000).size() != kept);
    chain.reset();
    CHECK(chain.sample(logits) == token);
    CHECK(chain.candidates(2000).size() == kept);
  }
}

TEST_CASE("mirostat with odd rows") {
  const auto vocab = FakeVocab::of_size(4);
  for (const int version : {1, 2}) {
    auto chain = Chain::create({.seed = 7, .mirostat = version}, vocab).value();
    const auto next = [&](const std::vector<float>& logits) {
      const int32_t token = chain.sample(logits);
      chain.accept(token);
      return token;
    };
    CHECK(next({5}) == 0);
    CHECK(next({-INFINITY, 1, -INFINITY, -INFINITY}) == 1);
    CHECK(next({1, INFINITY, NAN, 2}) == 1);
    for (int i = 0; i < 50; ++i) {
      const int32_t token = next({2, 2, 2, 2});  // flat: exponent 0
      CHECK(token >= 0);
      CHECK(token < 4);
    }
    CHECK(next({NAN, NAN, NAN, NAN}) >= 0);
    CHECK(next({1e38f, -1e38f, 0, 0}) == 0);
  }
}

TEST_CASE("of the other steps, bias, penalties and temperature run with mirostat") {
  const auto vocab = FakeVocab::of_size(4);
  const std::vector<float> logits = {4, 3, 2, 1};
  const auto count = [&](SamplerOptions options, const std::vector<int32_t>& history = {}) {
    options.mirostat = 2;
    options.mirostat_tau = 20;  // keeps all
    auto chain = Chain::create(options, vocab).value();
    for (const int32_t token : history) chain.accept(token);
    chain.sample(logits);
    return chain.candidates(4);
  };
  CHECK(count({.top_k = 1, .top_p = 0, .min_p = 1}).size() == 4);
  CHECK(count({.logit_bias = {{0, -10}}})[0].token == 1);
  CHECK(count({.presence_penalty = 9}, {0, 1})[0].token == 2);
  CHECK(count({.temperature = .5f})[0].logit == 8);
  CHECK(count({.temperature = 0}).size() == 1);
}
