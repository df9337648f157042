#include "lib/model/rope.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace quern::model;

TEST_CASE("plain rope: cosines, then sines, of position * base^(-2i/n)") {
  const RopeTable table(RopeParams{}, 8, {});
  REQUIRE(table.n_rot() == 8);
  const std::vector<int32_t> positions = {0, 1, 100000};
  std::vector<float> out(3 * 8);
  table.fill(positions, out);
  for (int i = 0; i < 4; ++i) {
    CHECK(out[i] == 1.0f);
    CHECK(out[4 + i] == 0.0f);
    const double inv = std::pow(10.0, -i);
    CHECK(out[8 + i] == doctest::Approx(std::cos(inv)).epsilon(1e-7));
    CHECK(out[12 + i] == doctest::Approx(std::sin(inv)).epsilon(1e-7));
  }
  CHECK(out[16 + 3] == doctest::Approx(std::cos(100.0)).epsilon(1e-6));
  CHECK(out[20 + 3] == doctest::Approx(std::sin(100.0)).epsilon(1e-6));
}

TEST_CASE("linear scaling and divisors slow the angles down") {
  RopeParams params;
  params.scaling = RopeScaling::linear;
  params.factor = 4;
  const std::vector<float> divisors = {1, 2, 4, 8};
  const RopeTable table(params, 8, divisors);
  for (int i = 0; i < 4; ++i) CHECK(table.inv_freq()[i] == doctest::Approx(std::pow(10.0, -i) / (4 * divisors[i])));
  CHECK(table.magnitude() == 1);
}

TEST_CASE("YaRN keeps fast pairs, scales slow ones, mixes those between") {
  RopeParams params;
  params.scaling = RopeScaling::yarn;
  params.factor = 16;
  params.original_context = 4096;
  const RopeTable yarn(params, 128, {});
  const RopeTable plain(RopeParams{}, 128, {});
  // Pairs that turn 32 times and once over 4096 tokens: 128 ln(4096 / (b 2 pi)) / (2 ln 10000) = 20.9 and 45.03.
  for (int i = 0; i < 64; ++i) {
    const double scaled_share = i <= 20 ? 0 : i >= 46 ? 1 : (i - 20) / 26.0;
    CHECK(yarn.inv_freq()[i] == doctest::Approx(plain.inv_freq()[i] * (1 - scaled_share * 15 / 16)));
  }
  CHECK(yarn.magnitude() == doctest::Approx(0.1 * std::log(16.0) + 1));
  params.attn_factor = 0.5;
  CHECK(RopeTable(params, 128, {}).magnitude() == doctest::Approx(0.5 * (0.1 * std::log(16.0) + 1)));
}

TEST_CASE("YaRN without extrapolation is linear scaling; extreme parameters stay finite") {
  RopeParams params;
  params.scaling = RopeScaling::yarn;
  params.factor = 4;
  params.original_context = 128;
  params.ext_factor = 0;
  const RopeTable linear(params, 8, {});
  for (int i = 0; i < 4; ++i) CHECK(linear.inv_freq()[i] == doctest::Approx(std::pow(10.0, -i) / 4));
  CHECK(linear.magnitude() == 1);
  for (const double base : {1e-3, 1.0, 1e30}) {
    for (const double beta : {1e-3, 128 / (2 * 3.14159265358979), 1e6}) {
      params = {base, RopeScaling::yarn, 1e6, 128, 1, 1, beta, beta};
      const RopeTable table(params, 64, {});
      std::vector<float> out(64);
      const std::vector<int32_t> last = {2147483647};
      table.fill(last, out);
      for (const float x : out) CHECK(std::isfinite(x));
    }
  }
}
