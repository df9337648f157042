// The chain: options, order, history, reproducibility.
#include "lib/sample/chain.h"

#include <doctest/doctest.h>

#include <limits>
#include <set>

#include "tests/sample/support.h"

using namespace quern;
using namespace quern::sample;
using namespace quern::sample::testing;

static std::set<int32_t> kept(Chain& chain, const std::vector<float>& logits) {
  chain.sample(logits);
  std::set<int32_t> out;
  for (const auto& c : chain.candidates(logits.size())) out.insert(c.token);
  return out;
}

TEST_CASE("every option out of range is refused by name") {
  const auto vocab = FakeVocab::of_size(10);
  const float inf = INFINITY, nan = NAN;
  struct Case {
    SamplerOptions options;
    const char* message;
  };
  const Case cases[] = {
      {{.temperature = nan}, "sampler option temperature: expected a finite number, found nan"},
      {{.temperature = inf}, "temperature"},
      {{.dynatemp_range = -1}, "sampler option dynatemp_range: expected a finite number of at least 0, found -1"},
      {{.dynatemp_exponent = nan}, "dynatemp_exponent"},
      {{.top_p = 1.5f}, "sampler option top_p: expected a value from 0 to 1, found 1.5"},
      {{.top_p = -.1f}, "top_p"},
      {{.top_p = nan}, "top_p"},
      {{.min_p = 2}, "min_p"},
      {{.typical_p = -1}, "typical_p"},
      {{.top_n_sigma = inf}, "top_n_sigma"},
      {{.xtc_probability = 1.01f}, "xtc_probability"},
      {{.xtc_threshold = nan}, "xtc_threshold"},
      {{.penalty_last_n = -2}, "sampler option penalty_last_n: expected at least -1, found -2"},
      {{.repeat_penalty = 0}, "sampler option repeat_penalty: expected more than 0, found 0"},
      {{.repeat_penalty = nan}, "repeat_penalty"},
      {{.frequency_penalty = inf}, "frequency_penalty"},
      {{.presence_penalty = nan}, "presence_penalty"},
      {{.dry_multiplier = -1}, "dry_multiplier"},
      {{.dry_base = .5f}, "dry_base"},
      {{.dry_allowed_length = -1}, "dry_allowed_length"},
      {{.dry_penalty_last_n = -2}, "dry_penalty_last_n"},
      {{.dry_sequence_breakers = {"\n", ""}},
       "sampler option dry_sequence_breakers[1]: expected 1 to 256 bytes, found 0"},
      {{.dry_sequence_breakers = {std::string(257, 'x')}}, "dry_sequence_breakers[0]"},
      {{.mirostat = 3}, "sampler option mirostat: expected a value from 0 to 2, found 3"},
      {{.mirostat = -1}, "mirostat"},
      {{.mirostat_tau = -1}, "mirostat_tau"},
      {{.mirostat_eta = nan}, "mirostat_eta"},
      {{.logit_bias = {{3, 1}, {10, 1}}}, "sampler option logit_bias[1].token: expected an id from 0 to 9, found 10"},
      {{.logit_bias = {{-1, 1}}}, "logit_bias[0].token"},
      {{.logit_bias = {{4, inf}}}, "sampler option logit_bias[0].bias of token 4: expected a finite number"},
      {{.logit_bias = {{4, nan}}}, "logit_bias[0].bias of token 4"},
      {{.order = "kq"}, "sampler option order: expected letters of 'edskypmxt', found 'q' at position 1"},
      {{.order = std::string(1, '\0')}, "found byte 0 at position 0"},
      {{.order = "k\xC3"}, "found byte 195 at position 1"},
      {{.order = "ktpk"}, "sampler option order: expected each letter once, found 'k' again at position 3"},
  };
  for (const Case& bad : cases) {
    const auto chain = Chain::create(bad.options, vocab);
    CAPTURE(bad.message);
    REQUIRE(!chain);
    CHECK(chain.error().code == Errc::argument);
    CAPTURE(chain.error().message);
    CHECK(chain.error().message.find(bad.message) != std::string::npos);
  }
}

TEST_CASE("values at the ends of their ranges are taken") {
  const auto vocab = FakeVocab::of_size(10);
  const float big = std::numeric_limits<float>::max();
  const std::vector<float> logits = random_logits(10, 1);
  for (const SamplerOptions& options : {
           SamplerOptions{.temperature = -big, .top_p = 0, .min_p = 1, .typical_p = 0},
           SamplerOptions{.temperature = big, .dynatemp_range = big, .dynatemp_exponent = big, .top_n_sigma = big},
           SamplerOptions{.temperature = 1e-45f, .top_k = std::numeric_limits<int32_t>::max()},
           SamplerOptions{
               .top_k = std::numeric_limits<int32_t>::min(), .min_keep = ~0u, .xtc_probability = 1, .xtc_threshold = 0},
           SamplerOptions{
               .penalty_last_n = -1, .repeat_penalty = 1e-45f, .frequency_penalty = big, .presence_penalty = -big},
           SamplerOptions{.penalty_last_n = std::numeric_limits<int32_t>::max(), .repeat_penalty = big},
           SamplerOptions{.dry_multiplier = big, .dry_base = big, .dry_allowed_length = 0, .dry_penalty_last_n = -1},
           SamplerOptions{.dry_multiplier = 1, .dry_allowed_length = std::numeric_limits<int32_t>::max()},
           SamplerOptions{.mirostat = 1, .mirostat_tau = big, .mirostat_eta = big},
           SamplerOptions{.mirostat = 2, .mirostat_tau = 0, .mirostat_eta = big},
           SamplerOptions{.logit_bias = {{0, -big}, {0, -big}, {1, big}, {1, big}, {2, -INFINITY}}},
           SamplerOptions{.order = ""},
       }) {
    auto chain = Chain::create(options, vocab).value();
    for (int i = 0; i < 20; ++i) {
      const int32_t token = chain.sample(logits);
      CHECK(token >= 0);
      CHECK(token < 10);
      chain.accept(token);
    }
  }
}

TEST_CASE("the order is that of the options, and a step not named does not run") {
  const auto vocab = FakeVocab::of_size(4);
  const auto logits = logits_of({0.1, 0.2, 0.3, 0.4});
  SamplerOptions options = {.temperature = 1, .top_k = 2, .top_p = .41f, .min_p = 0};
  const auto of = [&](const char* order) {
    options.order = order;
    auto chain = Chain::create(options, vocab).value();
    return kept(chain, logits);
  };
  CHECK(of("") == std::set<int32_t>{0, 1, 2, 3});
  CHECK(of("k") == std::set<int32_t>{2, 3});
  CHECK(of("p") == std::set<int32_t>{2, 3});
  CHECK(of("kp") == std::set<int32_t>{3});  // renormalized, 0.4 becomes 4/7
  CHECK(of("pk") == std::set<int32_t>{2, 3});
  // A high temperature before top_p widens the nucleus.
  options = {.temperature = 50, .top_p = .41f};
  CHECK(of("pt").size() == 2);
  CHECK(of("tp").size() == 2);
  options.top_p = .6f;
  CHECK(of("pt").size() == 2);
  CHECK(of("tp").size() == 3);
}

TEST_CASE("the default chain against float64: top 40, 0.95, 0.05, temperature 0.8") {
  const auto vocab = FakeVocab::of_size(1000);
  auto chain = Chain::create({.seed = 1}, vocab).value();
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const auto logits = random_logits(1000, seed);
    const auto p = oracle_softmax(logits);
    auto tokens = oracle_ranking(logits);
    tokens.resize(40);
    double total = 0, sum = 0;
    for (const int32_t t : tokens) total += p[static_cast<size_t>(t)];
    size_t n = 0;
    while (n < 40 && sum < .95f * total) sum += p[static_cast<size_t>(tokens[n++])];
    tokens.resize(n);
    while (p[static_cast<size_t>(tokens.back())] < .05f * p[static_cast<size_t>(tokens[0])]) tokens.pop_back();
    double scale = 0;
    for (const int32_t t : tokens) scale += std::pow(p[static_cast<size_t>(t)], 1 / .8);
    Expected expected, found;
    for (const int32_t t : tokens) expected[t] = std::pow(p[static_cast<size_t>(t)], 1 / .8) / scale;
    chain.sample(logits);
    for (const auto& c : chain.candidates(1000)) found[c.token] = c.probability;
    CHECK(difference(found, expected) < 1e-5);
  }
}

TEST_CASE("greedy gives the largest, with and without the steps that cut") {
  const auto vocab = FakeVocab::of_size(500);
  for (const SamplerOptions& options :
       {SamplerOptions{.temperature = 0}, SamplerOptions{.temperature = -1, .order = ""},
        SamplerOptions{.temperature = 0, .top_k = 3, .xtc_probability = 1, .xtc_threshold = .5f},
        SamplerOptions{.temperature = 0, .mirostat = 2}}) {
    auto chain = Chain::create(options, vocab).value();
    for (uint64_t seed = 1; seed <= 10; ++seed) {
      auto logits = random_logits(500, seed);
      logits[77] = logits[400] = 30;  // a tie: neither reaches more than one half
      CHECK(chain.sample(logits) == (options.xtc_probability > 0 ? 400 : 77));
      CHECK(chain.candidates(5).size() == 1);
      CHECK(chain.candidates(5)[0].probability == 1);
    }
  }
  // The penalties act on it: 3 - 2 falls behind 2.
  auto chain = Chain::create({.temperature = 0, .presence_penalty = 2}, vocab).value();
  std::vector<float> logits(500, 0.f);
  logits[5] = 3, logits[9] = 2;
  CHECK(chain.sample(logits) == 5);
  chain.accept(5);
  CHECK(chain.sample(logits) == 9);
  chain.reset();
  CHECK(chain.sample(logits) == 5);
}

TEST_CASE("candidates are the most probable first, and add up to one") {
  const auto vocab = FakeVocab::of_size(300);
  auto chain = Chain::create({.seed = 3, .top_k = 0, .top_p = 1, .min_p = 0}, vocab).value();
  CHECK(chain.candidates(10).empty());
  const auto logits = random_logits(300, 4);
  const auto ranking = oracle_ranking(logits);
  chain.sample(logits);
  double sum = 0;
  const auto all = chain.candidates(1000);
  REQUIRE(all.size() == 300);
  for (size_t i = 0; i < all.size(); ++i) {
    sum += all[i].probability;
    CHECK(all[i].token == ranking[i]);
  }
  CHECK(sum == doctest::Approx(1));
  CHECK(chain.candidates(3).size() == 3);
  CHECK(chain.candidates(0).empty());
}

TEST_CASE("forbidden tokens are never chosen, by any chain") {
  const auto vocab = FakeVocab::of_size(50, {7});
  for (const float temperature : {0.f, .8f, 5.f}) {
    for (const int mirostat : {0, 1, 2}) {
      SamplerOptions options = {.seed = 2, .temperature = temperature, .mirostat = mirostat, .ignore_eos = true};
      for (int32_t t = 10; t < 50; ++t) options.logit_bias.push_back({t, -INFINITY});
      auto chain = Chain::create(options, vocab).value();
      for (uint64_t i = 0; i < 300; ++i) {
        const int32_t token = chain.sample(random_logits(50, i));
        CHECK(token < 10);
        CHECK(token != 7);
        chain.accept(token);
      }
    }
  }
}

TEST_CASE("rows of NaN, infinities, one token and none") {
  const auto vocab = FakeVocab::of_size(6);
  for (const int mirostat : {0, 1, 2}) {
    const SamplerOptions options = {.seed = 1,
                                    .dynatemp_range = .5f,
                                    .typical_p = .9f,
                                    .top_n_sigma = 2,
                                    .xtc_probability = .5f,
                                    .repeat_penalty = 1.1f,
                                    .dry_multiplier = 1,
                                    .mirostat = mirostat};
    auto chain = Chain::create(options, vocab).value();
    CHECK(chain.sample({}) == -1);
    CHECK(chain.candidates(5).empty());
    for (const auto& row : std::vector<std::vector<float>>{{NAN, NAN, NAN, NAN, NAN, NAN},
                                                           {-INFINITY, -INFINITY, -INFINITY},
                                                           {INFINITY, NAN, -INFINITY, 0},
                                                           {INFINITY, INFINITY, INFINITY},
                                                           {3e38f, -3e38f, 3e38f, 1, 2, 3},
                                                           {0}}) {
      for (int i = 0; i < 20; ++i) {
        const int32_t token = chain.sample(row);
        CHECK(token >= 0);
        CHECK(token < static_cast<int32_t>(row.size()));
        chain.accept(token);
        for (const auto& c : chain.candidates(6)) CHECK(std::isfinite(c.probability));
      }
    }
    // Tokens that are not of the vocabulary.
    for (const int32_t token : {-1, 6, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()})
      chain.accept(token);
    CHECK(chain.sample(std::vector<float>{NAN, -1, NAN, NAN, NAN, NAN}) == 1);
  }
}

/// A run of tokens from rows that depend on nothing but their number.
static std::vector<int32_t> run(Chain& chain, int n, size_t n_vocab = 2000) {
  std::vector<int32_t> out;
  for (int i = 0; i < n; ++i) {
    out.push_back(chain.sample(random_logits(n_vocab, static_cast<uint64_t>(i), 3)));
    chain.accept(out.back());
  }
  return out;
}

TEST_CASE("the same seed gives the same tokens, on every platform") {
  const auto vocab = FakeVocab::of_size(2000);
  const auto tokens = [&](const SamplerOptions& options) {
    auto chain = Chain::create(options, vocab).value();
    CHECK(chain.seed() == options.seed);
    const auto out = run(chain, 12);
    chain.reset();
    CHECK(run(chain, 12) == out);
    return out;
  };
  using Tokens = std::vector<int32_t>;
  CHECK(tokens({.seed = 42}) == Tokens{1719, 1869, 970, 982, 536, 1493, 1325, 79, 1635, 1087, 872, 1108});
  CHECK(tokens({.seed = 43}) == Tokens{1434, 668, 1038, 520, 1640, 122, 360, 654, 1514, 1038, 1683, 1612});
  CHECK(tokens({.seed = 42, .temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0}) ==
        Tokens{187, 701, 1281, 1848, 1980, 1524, 1403, 1669, 1509, 1099, 1372, 552});
  CHECK(tokens({.seed = 42,
                .temperature = 1.2f,
                .dynatemp_range = .5f,
                .top_k = 0,
                .typical_p = .9f,
                .top_n_sigma = 2,
                .xtc_probability = .5f,
                .xtc_threshold = .01f,
                .repeat_penalty = 1.3f,
                .dry_multiplier = .8f,
                .dry_allowed_length = 0}) == Tokens{719, 100, 1170, 218, 656, 1716, 351, 511, 1530, 193, 594, 1803});
  CHECK(tokens({.seed = 42, .mirostat = 1}) ==
        Tokens{1719, 631, 1626, 1021, 1640, 120, 1904, 475, 991, 1206, 296, 1108});
  CHECK(tokens({.seed = 42, .mirostat = 2}) ==
        Tokens{230, 652, 1222, 1848, 1980, 1530, 1391, 1670, 1514, 1038, 1418, 458});
}

TEST_CASE("a seed left open is drawn, told, and repeats the run") {
  const auto vocab = FakeVocab::of_size(2000);
  auto first = Chain::create({.temperature = 2, .top_k = 0}, vocab).value();
  auto second = Chain::create({.temperature = 2, .top_k = 0}, vocab).value();
  CHECK(first.seed() != second.seed());
  CHECK(first.seed() != 0xFFFFFFFF);
  auto repeated = Chain::create({.seed = first.seed(), .temperature = 2, .top_k = 0}, vocab).value();
  CHECK(run(first, 20) == run(repeated, 20));
}

TEST_CASE("the list of steps: letters are those of the default order, names are distinct") {
  std::set<std::string> names;
  std::string letters;
  for (const StepInfo* info : steps()) {
    names.insert(info->name);
    if (info->letter != 0) letters += info->letter;
  }
  CHECK(names.size() == steps().size());
  CHECK(letters == SamplerOptions{}.order);
  CHECK(find_step(0) == nullptr);
}
