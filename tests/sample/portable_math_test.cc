#include "lib/sample/portable_math.h"

#include <doctest/doctest.h>

#include <cmath>

using namespace quern::sample;

TEST_CASE("exp is within 4e-16 of the standard one") {
  double worst = 0;
  for (double x = -700; x < 700; x += 0.0371) worst = std::max(worst, std::abs(portable_exp(x) / std::exp(x) - 1));
  for (double x = -2; x < 2; x += 0.00013) worst = std::max(worst, std::abs(portable_exp(x) / std::exp(x) - 1));
  CHECK(worst < 4e-16);
  CHECK(portable_exp(0) == 1);
  CHECK(portable_exp(-1e300) == 0);
  CHECK(portable_exp(-INFINITY) == 0);
  CHECK(portable_exp(NAN) == 0);
  CHECK(portable_exp(1000) == INFINITY);
}

TEST_CASE("log is within 1e-15 of the standard one") {
  double worst = 0;
  for (double x = 1e-310; x < 1e300; x *= 1.037) {
    const double expected = std::log(x);
    worst = std::max(worst, std::abs(portable_log(x) - expected) / std::max(1.0, std::abs(expected)));
  }
  for (double x = 0.5; x < 2; x += 0.00017) worst = std::max(worst, std::abs(portable_log(x) - std::log(x)));
  CHECK(worst < 1e-15);
  CHECK(portable_log(1) == 0);
  CHECK(portable_log(0) == -INFINITY);
  CHECK(portable_log(INFINITY) == INFINITY);
  CHECK(std::isnan(portable_log(-1)));
  CHECK(std::isnan(portable_log(NAN)));
}

TEST_CASE("pow") {
  CHECK(portable_pow(0.0, 0.0) == 1);
  CHECK(portable_pow(0.0, 2.0) == 0);
  CHECK(portable_pow(0.3, 2.5) == doctest::Approx(std::pow(0.3, 2.5)).epsilon(1e-14));
  CHECK(portable_pow(1.75, uint64_t{0}) == 1);
  CHECK(portable_pow(1.75, uint64_t{5}) == doctest::Approx(std::pow(1.75, 5)).epsilon(1e-15));
  CHECK(portable_pow(1.75, uint64_t{1} << 40) == INFINITY);
  CHECK(portable_pow(1.0, ~uint64_t{0}) == 1);
}
