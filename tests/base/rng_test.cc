#include "lib/base/rng.h"

#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

using namespace quern::base;

TEST_CASE("SplitMix64 and xoshiro256** give the published sequences") {
  SplitMix64 mix(1234567);
  for (const uint64_t expected :
       {6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u, 16408922859458223821u})
    CHECK(mix.next() == expected);
  Rng rng(Rng::State{1, 2, 3, 4});
  const std::vector<uint64_t> published = {
      11520,
      0,
      1509978240,
      1215971899390074240u,
      1216172134540287360u,
      607988272756665600u,
      16172922978634559625u,
      8476171486693032832u,
      10595114339597558777u,
      2904607092377533576u,
  };
  for (const uint64_t expected : published) CHECK(rng.next() == expected);
}

TEST_CASE("a seed and a stream name one sequence, whose place a copy keeps") {
  Rng a(7), b(7), other_seed(8), other_stream(7, 1);
  CHECK(a.next() == b.next());
  CHECK(Rng(7).next() != other_seed.next());
  CHECK(Rng(7).next() != other_stream.next());
  Rng copy = a;
  const uint64_t next = a.next();
  CHECK(copy.next() == next);
  CHECK(Rng(b.state()).next() == next);
}

TEST_CASE("uniform() stays in [0, 1) and fills it evenly") {
  Rng rng(42);
  constexpr int kDraws = 100000, kBins = 20;
  std::vector<int> counts(kBins);
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.uniform();
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    ++counts[static_cast<std::size_t>(u * kBins)];
  }
  double chi2 = 0;
  for (const int count : counts) chi2 += (count - kDraws / kBins) * (count - kDraws / kBins) / double(kDraws / kBins);
  CHECK(chi2 < 43.8);  // 19 degrees of freedom, p = 0.001
}

TEST_CASE("random_bits differ from call to call") { CHECK(random_bits() != random_bits()); }
