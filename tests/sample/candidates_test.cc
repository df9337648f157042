#include "lib/sample/candidates.h"

#include <doctest/doctest.h>

#include "tests/sample/support.h"

using namespace quern::sample;
using namespace quern::sample::testing;

static std::vector<int32_t> tokens_of(const Candidates& candidates) {
  std::vector<int32_t> out;
  for (const auto& c : candidates.items()) out.push_back(c.token);
  return out;
}

/// The same logits in rising, falling and random order, all equal, and in a few values only.
static std::vector<std::vector<float>> difficult_rows(size_t n) {
  auto random = random_logits(n, 3), rising = random, falling = random, few = random;
  std::sort(rising.begin(), rising.end());
  std::sort(falling.rbegin(), falling.rend());
  for (auto& x : few) x = std::round(x);
  return {random, rising, falling, few, std::vector<float>(n, 1.5f), std::vector<float>(n, -INFINITY)};
}

TEST_CASE("sort_to and keep_top agree with a stable sort, whatever the order and the ties") {
  for (const size_t n : {1, 2, 63, 1000, 5000}) {
    for (const auto& logits : difficult_rows(n)) {
      const auto ranking = oracle_ranking(logits);
      for (const size_t k : {size_t{1}, size_t{2}, size_t{40}, size_t{300}, n - n / 3, n, n + 5}) {
        const auto head = std::vector(ranking.begin(), ranking.begin() + static_cast<ptrdiff_t>(std::min(k, n)));
        Candidates cut;
        cut.load(logits);
        cut.keep_top(k);
        CHECK(tokens_of(cut) == head);

        Candidates sorted;
        sorted.load(logits);
        sorted.sort_to(k / 2);  // in two goes
        sorted.sort_to(k);
        auto tokens = tokens_of(sorted);
        REQUIRE(tokens.size() == n);
        const auto middle = tokens.begin() + static_cast<ptrdiff_t>(head.size());
        CHECK(std::vector(tokens.begin(), middle) == head);
        CHECK(std::is_sorted(middle, tokens.end()));  // the rest stays in the order of the vocabulary
        std::sort(tokens.begin(), tokens.end());
        CHECK(std::adjacent_find(tokens.begin(), tokens.end()) == tokens.end());
      }
    }
  }
}

TEST_CASE("keep_if, truncate and drop_front keep order and what is known of it") {
  Candidates c;
  c.load(std::vector<float>{1, 5, 3, 4, 2});
  c.sort_to(3);
  CHECK(tokens_of(c) == std::vector<int32_t>{1, 3, 2, 0, 4});
  c.keep_if([](size_t i, const Candidate&) { return i != 1; });
  CHECK(tokens_of(c) == std::vector<int32_t>{1, 2, 0, 4});
  c.sort_to(4);
  CHECK(tokens_of(c) == std::vector<int32_t>{1, 2, 4, 0});
  c.drop_front(1);
  c.truncate(2);
  CHECK(tokens_of(c) == std::vector<int32_t>{2, 4});
  CHECK(c.argmax() == 0);
  c.edit_tokens(std::map<int32_t, float>{{4, 9.f}, {77, 1.f}, {-1, 1.f}}, [](const Candidate&, float x) { return x; });
  CHECK(c.argmax() == 1);
}

TEST_CASE("edit_tokens reaches a token wherever it lies, and ignores what is not there") {
  Candidates c;
  c.load(std::vector<float>{0, 1, 2});
  const std::map<int32_t, float> values = {{2, -5.f}, {3, 100.f}, {-7, 100.f}};
  c.edit_tokens(values, [](const Candidate& old, float x) { return old.logit + x; });
  CHECK(c[2].logit == -3);
  c.sort_to(3);
  c.edit_tokens(values, [](const Candidate& old, float x) { return old.logit + x; });
  CHECK(c[2].token == 2);
  CHECK(c[2].logit == -8);
}

TEST_CASE("softmax and entropy against float64") {
  for (const double spread : {0.1, 6.0, 60.0}) {
    const auto logits = random_logits(3000, 9, spread);
    const auto expected = oracle_softmax(logits);
    Candidates c;
    c.load(logits);
    c.softmax();
    double entropy = 0, worst = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      entropy -= expected[i] * std::log(expected[i]);
      worst = std::max(worst, std::abs(c[i].probability - expected[i]) / (expected[i] + 1e-36));
    }
    CHECK(worst < 2e-7);
    CHECK(c.entropy() == doctest::Approx(entropy).epsilon(1e-6));
  }
}

TEST_CASE("infinite and invalid logits") {
  Candidates c;
  c.load(std::vector<float>{1, INFINITY, NAN, INFINITY, -INFINITY});
  c.softmax();
  CHECK(c[0].probability == 0);
  CHECK(c[1].probability == 0.5f);
  CHECK(c[2].logit == -INFINITY);
  CHECK(c[2].probability == 0);
  CHECK(c[3].probability == 0.5f);
  c.load(std::vector<float>{NAN, NAN, -INFINITY, NAN});
  c.softmax();
  for (const auto& item : c.items()) CHECK(item.probability == 0.25f);
  c.load(std::vector<float>{3e38f, -3e38f, 3e38f});
  c.softmax();
  CHECK(c[0].probability == 0.5f);
  CHECK(c[1].probability == 0);
}
