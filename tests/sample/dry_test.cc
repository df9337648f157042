#include <doctest/doctest.h>

#include "tests/sample/support.h"

using namespace quern;
using namespace quern::sample;
using namespace quern::sample::testing;

/// How much dry takes from each token's logit.
static std::vector<float> penalties(const SamplerOptions& options, const SamplerVocab& vocab,
                                    const std::vector<int32_t>& history) {
  std::vector<float> out(static_cast<size_t>(vocab.n_tokens()), 0.f);
  Candidates c;
  c.load(out);
  const auto step = make_step('d', options, vocab);
  for (const int32_t token : history) step->accept(token);
  step->apply(c);
  for (size_t i = 0; i < out.size(); ++i) out[i] = 0 - c[i].logit;
  return out;
}

static const FakeVocab kLetters({"a", "b", "c", "d", "\n"});
enum : int32_t { a, b, c, d, newline };
using Floats = std::vector<float>;

TEST_CASE("a repetition of allowed_length or more is penalized by its length") {
  SamplerOptions options = {.dry_multiplier = 1, .dry_base = 2, .dry_allowed_length = 2};
  CHECK(penalties(options, kLetters, {a, b, c, d, b}) == Floats{0, 0, 0, 0, 0});     // "b" alone
  CHECK(penalties(options, kLetters, {a, b, c, d, a, b}) == Floats{0, 0, 1, 0, 0});  // "ab", then c
  CHECK(penalties(options, kLetters, {d, a, b, c, d, a, b}) == Floats{0, 0, 2, 0, 0});
  CHECK(penalties(options, kLetters, {a, a, a, a}) == Floats{2, 0, 0, 0, 0});  // "aaa", overlapping itself
  // The longest counts: "b" before a, but "cb" before d.
  options.dry_allowed_length = 1;
  CHECK(penalties(options, kLetters, {b, a, c, b, d, c, b}) == Floats{1, 0, 0, 2, 0});
  options.dry_allowed_length = 0;
  CHECK(penalties(options, kLetters, {a, b}) == Floats{0, 1, 0, 0, 0});
  options.dry_multiplier = .5f;
  options.dry_base = 1;
  CHECK(penalties(options, kLetters, {a, a, a, a}) == Floats{.5f, 0, 0, 0, 0});
}

TEST_CASE("a repetition does not reach over a breaker, and a breaker is not penalized") {
  const SamplerOptions options = {.dry_multiplier = 1, .dry_base = 2, .dry_allowed_length = 1};
  CHECK(penalties(options, kLetters, {a, b, c, a, b}) == Floats{0, 0, 2, 0, 0});
  CHECK(penalties(options, kLetters, {a, newline, b, c, a, newline, b}) == Floats{0, 0, 1, 0, 0});
  CHECK(penalties(options, kLetters, {a, newline, a}) == Floats{0, 0, 0, 0, 0});
  CHECK(penalties(options, kLetters, {a, b, newline}) == Floats{0, 0, 0, 0, 0});
  SamplerOptions unbroken = options;
  unbroken.dry_sequence_breakers.clear();
  CHECK(penalties(unbroken, kLetters, {a, newline, b, c, a, newline, b}) == Floats{0, 0, 4, 0, 0});
  CHECK(penalties(unbroken, kLetters, {a, newline, a}) == Floats{0, 0, 0, 0, 1});
}

TEST_CASE("breakers that are part of a token or several tokens long") {
  const FakeVocab vocab({"x", "y", "z", "fin:", "a-", "-b", "b", "-"});
  enum : int32_t { x, y, z, fin, a_dash, dash_b, bee, dash };
  SamplerOptions options = {
      .dry_multiplier = 1, .dry_base = 2, .dry_allowed_length = 1, .dry_sequence_breakers = {":"}};
  CHECK(penalties(options, vocab, {x, fin, y, z, x, fin, y})[z] == 1);  // within a token
  options.dry_sequence_breakers = {"-b"};
  // "-b" as one token; as "a-" "b"; as "-" "b": each leaves only "y" to be repeated, so the penalty is base^0.
  for (const auto& breaker : {std::vector<int32_t>{dash_b}, {a_dash, bee}, {dash, bee}}) {
    std::vector<int32_t> history = {x};
    history.insert(history.end(), breaker.begin(), breaker.end());
    history.insert(history.end(), {y, z, x});
    history.insert(history.end(), breaker.begin(), breaker.end());
    history.push_back(y);
    CHECK(penalties(options, vocab, history)[z] == 1);
  }
  // The head without its rest breaks nothing: "x a- y" is three tokens long. Nor is it spared a penalty.
  CHECK(penalties(options, vocab, {x, a_dash, y, z, x, a_dash, y})[z] == 4);
  CHECK(penalties(options, vocab, {x, a_dash, y, x})[a_dash] == 1);
  CHECK(penalties(options, vocab, {x, dash_b, y, x})[dash_b] == 0);
}

TEST_CASE("only the window is looked at; long repetitions do not overflow; reset forgets") {
  SamplerOptions options = {.dry_multiplier = 1, .dry_base = 2, .dry_allowed_length = 2, .dry_penalty_last_n = 5};
  CHECK(penalties(options, kLetters, {a, b, c, d, d, a, b}) == Floats{0, 0, 0, 0, 0});
  options.dry_penalty_last_n = 7;
  CHECK(penalties(options, kLetters, {a, b, c, d, d, a, b}) == Floats{0, 0, 1, 0, 0});
  options.dry_penalty_last_n = -1;
  const auto many = penalties(options, kLetters, std::vector<int32_t>(5000, a));
  CHECK(many[a] == std::numeric_limits<float>::max());
  CHECK(make_step('d', {}, kLetters) == nullptr);
  CHECK(make_step('d', {.dry_multiplier = 1, .dry_penalty_last_n = 0}, kLetters) == nullptr);

  const auto step = make_step('d', options, kLetters);
  for (const int32_t token : {a, b, c, a, b}) step->accept(token);
  step->reset();
  Candidates candidates;
  candidates.load(Floats(5, 0.f));
  step->apply(candidates);
  CHECK(candidates[c].logit == 0);
}

TEST_CASE("random histories against the definition") {
  base::Rng rng(21);
  for (int round = 0; round < 200; ++round) {
    const auto allowed = static_cast<int32_t>(rng.uniform() * 4);
    const SamplerOptions options = {
        .dry_multiplier = .75f, .dry_base = 1.25f, .dry_allowed_length = allowed, .dry_penalty_last_n = -1};
    std::vector<int32_t> history;
    const auto n = static_cast<size_t>(rng.uniform() * 60);
    for (size_t i = 0; i < n; ++i)
      history.push_back(rng.uniform() < .04 ? newline : static_cast<int32_t>(rng.uniform() * 3));
    size_t unbroken = 0;
    while (unbroken < n && history[n - 1 - unbroken] != newline) ++unbroken;
    Floats expected(5, 0.f);
    // For each place, how many tokens before it equal the last ones.
    for (size_t i = 1; i < n && n > static_cast<size_t>(allowed); ++i) {
      size_t length = 0;
      while (length < std::min(i, unbroken) && history[i - 1 - length] == history[n - 1 - length]) ++length;
      if (length < static_cast<size_t>(allowed) || history[i] == newline) continue;
      float& penalty = expected[static_cast<size_t>(history[i])];
      penalty = std::max(penalty, static_cast<float>(.75 * std::pow(1.25, double(length) - allowed)));
    }
    const auto found = penalties(options, kLetters, history);
    for (size_t t = 0; t < 5; ++t) CHECK(found[t] == doctest::Approx(expected[t]).epsilon(1e-6));
  }
}
