// The codebooks against the points that the reference library decodes blocks to, one by one.
#include <doctest/doctest.h>

#include "lib/quant/grids.h"
#include "tests/quant/test_data.h"

using namespace quern;

namespace {

/// Coordinates of kGrid that differ from those in the file.
template <size_t kCount, size_t kValues>
size_t differences(const quant::Grid<kCount>& grid, int (*digit_of)(uint32_t, int), const int8_t (&values)[kValues],
                   const char* file) {
  const std::vector<std::byte> expected = read_quant_data(file);
  const size_t n = expected.size() / kCount;
  CAPTURE(file);
  REQUIRE(expected.size() == kCount * (digit_of == quant::digit_of_8 ? 8 : 4));
  size_t wrong = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const int digit = digit_of(grid[i / n], static_cast<int>(i % n));
    REQUIRE(digit < static_cast<int>(kValues));
    wrong += values[digit] != static_cast<int8_t>(expected[i]);
  }
  return wrong;
}

}  // namespace

TEST_CASE("grids hold the points of the reference library in its order") {
  using namespace quant;
  CHECK(differences(kGridIq1, digit_of_8, kIq1Values, "grid_iq1.i8") == 0);
  CHECK(differences(kGridIq2Xxs, digit_of_8, kIq2Values, "grid_iq2_xxs.i8") == 0);
  CHECK(differences(kGridIq2Xs, digit_of_8, kIq2Values, "grid_iq2_xs.i8") == 0);
  CHECK(differences(kGridIq2S, digit_of_8, kIq2Values, "grid_iq2_s.i8") == 0);
  CHECK(differences(kGridIq3Xxs, digit_of_4, kIq3XxsValues, "grid_iq3_xxs.i8") == 0);
  CHECK(differences(kGridIq3S, digit_of_4, kIq3SValues, "grid_iq3_s.i8") == 0);
}
