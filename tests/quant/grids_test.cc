// The codebooks against the points that the reference library decodes blocks to, one by one.
#include <doctest/doctest.h>

#include "lib/quant/grids.h"
#include "tests/quant/test_data.h"

using namespace quern;

namespace {

/// Coordinates of `grid`, in either of its forms, that differ from those in the file.
template <size_t kCoordinates, size_t kCount, size_t kValues>
size_t differences(const quant::Grid<kCount>& grid, const int8_t (&values)[kValues], const char* file) {
  const std::vector<std::byte> expected = read_quant_data(file);
  CAPTURE(file);
  REQUIRE(expected.size() == kCount * kCoordinates);
  constexpr int kBits = kCoordinates == 8 ? 2 : 3;
  size_t wrong = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const size_t point = i / kCoordinates;
    const int coordinate = static_cast<int>(i % kCoordinates);
    const int code = grid.low[point] | grid.high[point] << 8;
    const int digit = quant::digit_of(grid.points[point], coordinate);
    REQUIRE(digit < static_cast<int>(kValues));
    wrong += values[digit] != static_cast<int8_t>(expected[i]);
    wrong += (code >> (kBits * coordinate) & ((1 << kBits) - 1)) != digit;
  }
  return wrong;
}

}  // namespace

TEST_CASE("grids hold the points of the reference library in its order") {
  using namespace quant;
  CHECK(differences<8>(kGridIq1, kIq1Values, "grid_iq1.i8") == 0);
  CHECK(differences<8>(kGridIq2Xxs, kIq2Values, "grid_iq2_xxs.i8") == 0);
  CHECK(differences<8>(kGridIq2Xs, kIq2Values, "grid_iq2_xs.i8") == 0);
  CHECK(differences<8>(kGridIq2S, kIq2Values, "grid_iq2_s.i8") == 0);
  CHECK(differences<4>(kGridIq3Xxs, kIq3XxsValues, "grid_iq3_xxs.i8") == 0);
  CHECK(differences<4>(kGridIq3S, kIq3SValues, "grid_iq3_s.i8") == 0);
}
