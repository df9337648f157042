// The steps that change logits: logit_bias, penalties, temperature.
#include <doctest/doctest.h>

#include "tests/sample/support.h"

using namespace quern;
using namespace quern::sample;
using namespace quern::sample::testing;

TEST_CASE("logit_bias adds, forbids, and ignore_eos forbids the ends") {
  const auto vocab = FakeVocab::of_size(5, {1, 4});
  const auto biased = [&](const SamplerOptions& options, std::vector<float> logits) {
    Candidates c;
    c.load(logits);
    kLogitBiasStep.create({options, vocab, 1})->apply(c);
    std::vector<float> out;
    for (const auto& item : c.items()) out.push_back(item.logit);
    return out;
  };
  CHECK(kLogitBiasStep.create({{}, vocab, 1}) == nullptr);
  CHECK(biased({.logit_bias = {{0, 2}, {3, -INFINITY}, {0, .5f}}}, {1, 1, 1, INFINITY, 1}) ==
        std::vector<float>{3.5f, 1, 1, -INFINITY, 1});
  CHECK(biased({.ignore_eos = true, .logit_bias = {{1, 50}}}, {1, 1, 1, 1, 1}) ==
        std::vector<float>{1, -INFINITY, 1, 1, -INFINITY});
  CHECK(biased({.logit_bias = {{4, 3e38f}, {4, 3e38f}, {4, 3e38f}}}, {1, 1, 1, 1, -INFINITY})[4] == -INFINITY);
  CHECK(biased({.logit_bias = {{4, 1}}}, {1, 1}) == std::vector<float>{1, 1});  // fewer logits than tokens
}

/// Logits after penalties.
static std::vector<float> penalized(const SamplerOptions& options, std::vector<float> logits,
                                    const std::vector<int32_t>& history) {
  const auto vocab = FakeVocab::of_size(static_cast<int32_t>(logits.size()));
  Candidates c;
  c.load(logits);
  const auto step = make_step('e', options, vocab);
  for (const int32_t token : history) step->accept(token);
  step->apply(c);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = c[i].logit;
  return logits;
}

TEST_CASE("penalties") {
  using Floats = std::vector<float>;
  const Floats logits = {2, -2, 0, 4};
  CHECK(penalized({.repeat_penalty = 2}, logits, {0, 1, 2, 0}) == Floats{1, -4, 0, 4});
  CHECK(penalized({.repeat_penalty = .5f}, logits, {0, 1}) == Floats{4, -1, 0, 4});
  CHECK(penalized({.frequency_penalty = .5f}, logits, {0, 3, 3, 3}) == Floats{1.5f, -2, 0, 2.5f});
  CHECK(penalized({.presence_penalty = .5f}, logits, {0, 3, 3, 3}) == Floats{1.5f, -2, 0, 3.5f});
  CHECK(penalized({.repeat_penalty = 2, .frequency_penalty = .25f, .presence_penalty = 1}, logits, {3, 3}) ==
        Floats{2, -2, 0, .5f});
  // Only the last tokens count.
  CHECK(penalized({.penalty_last_n = 2, .presence_penalty = 1}, logits, {0, 0, 1, 2, 2}) == Floats{2, -2, -1, 4});
  CHECK(penalized({.penalty_last_n = 2, .frequency_penalty = 1}, logits, {3, 0, 3, 0, 3}) == Floats{1, -2, 0, 3});
  CHECK(penalized({.penalty_last_n = -1, .frequency_penalty = 1}, logits, std::vector<int32_t>(100, 3)) ==
        Floats{2, -2, 0, -96});
  CHECK(penalized({.penalty_last_n = 64, .frequency_penalty = 1}, logits, std::vector<int32_t>(100, 3)) ==
        Floats{2, -2, 0, -60});
}

TEST_CASE("a window of the history against counting it anew") {
  base::Rng rng(11);
  for (const int32_t window : {1, 3, 64}) {
    std::vector<int32_t> history;
    for (int i = 0; i < 300; ++i) history.push_back(static_cast<int32_t>(rng.uniform() * 10));
    std::vector<float> expected(10, 0);
    for (size_t i = history.size() - static_cast<size_t>(window); i < history.size(); ++i)
      expected[static_cast<size_t>(history[i])] -= 1;
    CHECK(penalized({.penalty_last_n = window, .frequency_penalty = 1}, std::vector<float>(10, 0), history) ==
          expected);
  }
}

TEST_CASE("penalties off, and forgotten by reset") {
  const auto vocab = FakeVocab::of_size(2);
  CHECK(make_step('e', {}, vocab) == nullptr);
  CHECK(make_step('e', {.penalty_last_n = 0, .repeat_penalty = 2}, vocab) == nullptr);
  const auto step = make_step('e', {.repeat_penalty = 2}, vocab);
  step->accept(1);
  step->reset();
  Candidates c;
  c.load(std::vector<float>{4, 4});
  step->apply(c);
  CHECK(c[1].logit == 4);
}

TEST_CASE("temperature") {
  const auto four = logits_of({0.1, 0.2, 0.3, 0.4});
  CHECK(difference(after('t', {.temperature = 1}, four), {{0, .1}, {1, .2}, {2, .3}, {3, .4}}) < 1e-6);
  CHECK(difference(after('t', {.temperature = .5f}, four), {{0, 1 / 30.}, {1, 4 / 30.}, {2, 9 / 30.}, {3, 16 / 30.}}) <
        1e-6);
  CHECK(difference(after('t', {.temperature = 0}, four), {{3, 1}}) < 1e-6);
  CHECK(difference(after('t', {.temperature = -1}, four), {{3, 1}}) < 1e-6);
  CHECK(difference(after('t', {.temperature = 0}, {1, 7, 7, 1}), {{1, 1}}) < 1e-6);
  // Quotients that overflow do not make unequal tokens equal.
  CHECK(difference(after('t', {.temperature = 1e-39f}, {1, 2, 1}), {{1, 1}}) < 1e-6);
  CHECK(difference(after('t', {.temperature = 1e-39f}, {-5, -6, -7}), {{0, 1}}) < 1e-6);
}

TEST_CASE("dynamic temperature against float64") {
  const auto four = logits_of({0.1, 0.2, 0.3, 0.4});
  for (const float t0 : {.3f, .8f, 1.5f}) {
    for (const float range : {.2f, 1.f}) {
      for (const float exponent : {0.f, .7f, 1.f, 2.f}) {
        double entropy = 0;
        for (const double p : {.1, .2, .3, .4}) entropy -= p * std::log(p);
        const double low = std::max(0.0, double(t0) - range), high = double(t0) + range;
        const double t = low + (high - low) * std::pow(entropy / std::log(4), exponent);
        std::vector<double> p = {.1, .2, .3, .4};
        double sum = 0;
        for (auto& x : p) sum += x = std::pow(x, 1 / t);
        const Expected expected = {{0, p[0] / sum}, {1, p[1] / sum}, {2, p[2] / sum}, {3, p[3] / sum}};
        const SamplerOptions options = {.temperature = t0, .dynatemp_range = range, .dynatemp_exponent = exponent};
        CHECK(difference(after('t', options, four), expected) < 1e-6);
      }
    }
  }
  // Certain: the lowest temperature, here 0. Equal: the highest. Alone: as it is. Greedy stays greedy.
  CHECK(after('t', {.temperature = .5f, .dynatemp_range = .5f}, {0, 300}).size() == 1);
  CHECK(after('t', {.temperature = .5f, .dynatemp_range = .5f}, {1, 1}).size() == 2);
  CHECK(after('t', {.temperature = .5f, .dynatemp_range = .5f}, {1}).size() == 1);
  CHECK(after('t', {.temperature = 0, .dynatemp_range = .5f}, {1, 2}).size() == 1);
}
