// The steps that cut the candidates down: top_k, top_p, min_p, typical_p, top_n_sigma, xtc.
#include <doctest/doctest.h>

#include "tests/sample/support.h"

using namespace quern;
using namespace quern::sample;
using namespace quern::sample::testing;

static const std::vector<float> kFour = logits_of({0.1, 0.2, 0.3, 0.4});

TEST_CASE("top_k") {
  CHECK(difference(after('k', {.top_k = 1}, kFour), {{3, 1}}) < 1e-6);
  CHECK(difference(after('k', {.top_k = 3}, kFour), {{3, 4 / 9.}, {2, 3 / 9.}, {1, 2 / 9.}}) < 1e-6);
  CHECK(difference(after('k', {.top_k = 4}, kFour), {{3, .4}, {2, .3}, {1, .2}, {0, .1}}) < 1e-6);
  CHECK(after('k', {.top_k = 100}, kFour).size() == 4);
  CHECK(after('k', {.top_k = 0}, kFour).size() == 4);
  CHECK(after('k', {.top_k = -1}, kFour).size() == 4);
}

TEST_CASE("top_p") {
  CHECK(difference(after('p', {.top_p = 0}, kFour), {{3, 1}}) < 1e-6);
  CHECK(difference(after('p', {.top_p = .39f}, kFour), {{3, 1}}) < 1e-6);
  CHECK(difference(after('p', {.top_p = .69f}, kFour), {{3, 4 / 7.}, {2, 3 / 7.}}) < 1e-6);
  CHECK(difference(after('p', {.top_p = .8f}, kFour), {{3, 4 / 9.}, {2, 3 / 9.}, {1, 2 / 9.}}) < 1e-6);
  CHECK(after('p', {.top_p = 1}, kFour).size() == 4);
  CHECK(after('p', {.top_p = .1f, .min_keep = 3}, kFour).size() == 3);
  CHECK(after('p', {.top_p = .1f, .min_keep = 30}, kFour).size() == 4);
}

TEST_CASE("min_p") {
  const auto of = [](float p, uint32_t min_keep = 0) { return after('m', {.min_p = p, .min_keep = min_keep}, kFour); };
  CHECK(of(0).size() == 4);
  CHECK(difference(of(.24f), {{3, .4}, {2, .3}, {1, .2}, {0, .1}}) < 1e-6);
  CHECK(difference(of(.26f), {{3, 4 / 9.}, {2, 3 / 9.}, {1, 2 / 9.}}) < 1e-6);
  CHECK(difference(of(.49f), {{3, 4 / 9.}, {2, 3 / 9.}, {1, 2 / 9.}}) < 1e-6);
  CHECK(difference(of(.51f), {{3, 4 / 7.}, {2, 3 / 7.}}) < 1e-6);
  CHECK(difference(of(.76f), {{3, 1}}) < 1e-6);
  CHECK(difference(of(1), {{3, 1}}) < 1e-6);
  CHECK(difference(of(1, 2), {{3, 4 / 7.}, {2, 3 / 7.}}) < 1e-6);
}

TEST_CASE("typical_p") {
  // {0.97, 0.01, 0.01, 0.01}: H = 0.168 nats; |-ln p - H| = 0.137 for the first, 4.44 for the others.
  const auto peaked = logits_of({.97, .01, .01, .01});
  CHECK(difference(after('y', {.typical_p = .5f}, peaked), {{0, 1}}) < 1e-6);
  // {0.4, 0.2, 0.2, 0.2}: H = 1.3322; |-ln p - H| = 0.416 for 0.4 and 0.277 for 0.2. So the likeliest goes first.
  const auto flat = logits_of({.4, .2, .2, .2});
  CHECK(difference(after('y', {.typical_p = .5f}, flat), {{1, 1 / 3.}, {2, 1 / 3.}, {3, 1 / 3.}}) < 1e-6);
  CHECK(after('y', {.typical_p = .3f}, flat).size() == 2);
  CHECK(after('y', {.typical_p = .3f, .min_keep = 3}, flat).size() == 3);
  CHECK(after('y', {.typical_p = .7f}, flat).size() == 4);
  CHECK(after('y', {.typical_p = 1}, flat).size() == 4);
  CHECK(after('y', {.typical_p = 0}, flat).size() == 1);
}

TEST_CASE("top_n_sigma") {
  // Logits {0, 2, 4, 6}: sigma = sqrt(5).
  const std::vector<float> logits = {0, 2, 4, 6};
  const auto of = [&](float n) { return after('s', {.top_n_sigma = n}, logits).size(); };
  CHECK(of(.8f) == 1);   // 1.79
  CHECK(of(.9f) == 2);   // 2.01
  CHECK(of(1.7f) == 2);  // 3.80
  CHECK(of(1.8f) == 3);  // 4.02
  CHECK(of(3) == 4);
  CHECK(of(0) == 4);
  CHECK(of(-1) == 4);
  // Impossible tokens do not widen the deviation, and are cut.
  CHECK(after('s', {.top_n_sigma = .9f}, {0, 2, 4, 6, -INFINITY, -INFINITY}).size() == 2);
  CHECK(after('s', {.top_n_sigma = 2}, {0, 2, 4, 6, -INFINITY}).size() == 3);
}

TEST_CASE("xtc") {
  const auto of = [](float probability, float threshold, uint32_t min_keep = 0) {
    return after('x', {.seed = 1, .min_keep = min_keep, .xtc_probability = probability, .xtc_threshold = threshold},
                 kFour);
  };
  CHECK(difference(of(1, .09f), {{0, 1}}) < 1e-6);
  CHECK(difference(of(1, .19f), {{0, 1 / 3.}, {1, 2 / 3.}}) < 1e-6);
  CHECK(difference(of(1, .29f), {{0, 1 / 6.}, {1, 2 / 6.}, {2, 3 / 6.}}) < 1e-6);
  CHECK(of(1, .39f).size() == 4);
  CHECK(of(1, .51f).size() == 4);
  CHECK(of(0, .09f).size() == 4);
  CHECK(of(1, .09f, 1).size() == 1);
  CHECK(of(1, .09f, 2).size() == 4);
}

TEST_CASE("xtc acts with its probability") {
  const auto vocab = FakeVocab::of_size(4);
  const auto step = make_step('x', {.seed = 5, .xtc_probability = .3f, .xtc_threshold = .15f}, vocab);
  const auto count = [&] {
    int acted = 0;
    for (int i = 0; i < 10000; ++i) {
      Candidates c;
      c.load(kFour);
      step->apply(c);
      acted += c.size() != 4;
    }
    return acted;
  };
  const int acted = count();
  CHECK(std::abs(acted - 3000) < 200);  // more than four standard deviations of 46
  step->reset();
  CHECK(count() == acted);
}

TEST_CASE("cuts of random rows against brute force in float64") {
  for (const size_t n : {2, 7, 100, 4000}) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      const auto logits = random_logits(n, seed, seed % 2 ? 6 : 1.5);
      const auto p = oracle_softmax(logits);
      const auto ranking = oracle_ranking(logits);
      const auto at = [&](int32_t t) { return p[static_cast<size_t>(t)]; };
      for (const float limit : {.137f, .511f, .9171f}) {
        std::vector<int32_t> nucleus, relative, typical = ranking;
        double sum = 0;
        for (const int32_t t : ranking) {
          if (sum < limit) nucleus.push_back(t);
          sum += at(t);
          if (at(t) >= limit * at(ranking[0])) relative.push_back(t);
        }
        double entropy = 0;
        for (const double x : p) entropy -= x * std::log(x);
        const auto strangeness = [&](int32_t t) { return std::abs(-std::log(at(t)) - entropy); };
        std::sort(typical.begin(), typical.end(), [&](int32_t a, int32_t b) {
          return strangeness(a) < strangeness(b) || (strangeness(a) == strangeness(b) && a < b);
        });
        size_t kept = 0;
        for (sum = 0; kept < n && sum <= limit; ++kept) sum += at(typical[kept]);
        typical.resize(kept);
        CHECK(difference(after('p', {.top_p = limit}, logits), oracle_over(logits, nucleus)) < 1e-6);
        CHECK(difference(after('m', {.min_p = limit}, logits), oracle_over(logits, relative)) < 1e-6);
        CHECK(difference(after('y', {.typical_p = limit}, logits), oracle_over(logits, typical)) < 1e-6);
      }
    }
  }
}
