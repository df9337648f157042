#include <doctest/doctest.h>

#include "lib/base/half.h"
#include "lib/base/status.h"

#include <cmath>

using namespace quern;

static Result<int> half_of(int n) {
  QUERN_ENSURE(n % 2 == 0, Errc::argument, "expected an even number, found ", n);
  return n / 2;
}
static Result<int> quarter_of(int n) {
  QUERN_TRY(const int half, half_of(n));
  QUERN_TRY(const int quarter, half_of(half));
  return quarter;
}

TEST_CASE("QUERN_TRY hands on values and errors") {
  CHECK(*quarter_of(12) == 3);
  const auto bad = quarter_of(6);
  REQUIRE(!bad);
  CHECK(bad.error().code == Errc::argument);
  CHECK(bad.error().message == "expected an even number, found 3");
  CHECK_THROWS_AS(quarter_of(6).value(), ResultError);
}

TEST_CASE("half and bfloat16 survive a round trip, and NaN stays NaN") {
  for (uint32_t h = 0; h < 65536; ++h) {
    const float f = base::f16_to_f32(static_cast<uint16_t>(h));
    if (std::isnan(f))
      CHECK(std::isnan(base::f16_to_f32(base::f32_to_f16(f))));
    else
      CHECK(base::f32_to_f16(f) == h);
    const float b = base::bf16_to_f32(static_cast<uint16_t>(h));
    if (std::isnan(b))
      CHECK(std::isnan(base::bf16_to_f32(base::f32_to_bf16(b))));
    else
      CHECK(base::f32_to_bf16(b) == h);
  }
  CHECK(base::f32_to_f16(65520.f) == 0x7C00);
  CHECK(base::f32_to_f16(65519.f) == 0x7BFF);
  CHECK(base::f32_to_f16(0x1p-25f) == 0);    // tie to even
  CHECK(base::f32_to_f16(0x1.8p-24f) == 2);  // tie to even
}
