// Second moments, and levels chosen by them.
#include "lib/convert/refine.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

using namespace quern;
using convert::Moments;
using convert::Refiner;

namespace {

constexpr uint32_t kCols = 256, kTokens = 700;

/// Inputs that go along with each other, as those of a model do: a random walk with some noise.
std::vector<float> inputs() {
  std::mt19937 rng(5);
  std::normal_distribution<float> normal;
  std::vector<float> x(size_t{kTokens} * kCols);
  for (uint32_t t = 0; t < kTokens; ++t) {
    float walk = 0;
    for (uint32_t k = 0; k < kCols; ++k) {
      walk = 0.9f * walk + normal(rng);
      x[t * kCols + k] = walk + 0.3f * normal(rng);
    }
  }
  return x;
}

/// The mean square of what an error in a row makes of the output, in double, from the inputs themselves.
double output_error(const std::vector<float>& x, const float* row, const float* decoded) {
  double sum = 0;
  for (uint32_t t = 0; t < kTokens; ++t) {
    double dot = 0;
    for (uint32_t k = 0; k < kCols; ++k) dot += static_cast<double>(x[t * kCols + k]) * (decoded[k] - row[k]);
    sum += dot * dot;
  }
  return sum / kTokens;
}

}  // namespace

TEST_CASE("moments are the sums of products, whatever the batches") {
  const std::vector<float> x = inputs();
  Moments moments(kCols);
  for (uint32_t begin = 0; begin < kTokens; begin += 133) {
    moments.add({x.data() + begin * kCols, std::min(133u, kTokens - begin), kCols, kCols});
  }
  CHECK(moments.n_rows() == kTokens);
  moments.finish(0);
  double worst = 0;
  for (const uint32_t i : {0u, 1u, 6u, 100u, 255u}) {
    for (uint32_t j = 0; j < kCols; ++j) {
      double exact = 0;
      for (uint32_t t = 0; t < kTokens; ++t) exact += static_cast<double>(x[t * kCols + i]) * x[t * kCols + j];
      worst = std::max(worst, std::fabs(moments.row(i)[j] - exact / kTokens));
      CHECK(moments.row(i)[j] == moments.row(j)[i]);
    }
  }
  CHECK(worst < 1e-4);
}

TEST_CASE("levels and points chosen by moments lessen the error of the output, for every format") {
  const std::vector<float> x = inputs();
  Moments moments(kCols);
  moments.add({x.data(), kTokens, kCols, kCols});
  moments.finish();
  const std::vector<float> weights = moments.diagonal();
  std::mt19937 rng(9);
  std::normal_distribution<float> normal(0, 0.02f);
  constexpr size_t kRows = 5;
  std::vector<float> rows(kRows * kCols), decoded(kCols);
  for (float& v : rows) v = normal(rng);
  size_t n_formats = 0;
  for (const quant::FormatInfo& format : quant::formats()) {
    const std::unique_ptr<Refiner> refiner = Refiner::make(format, moments);
    if (refiner == nullptr) continue;
    ++n_formats;
    CAPTURE(std::string(format.name));
    const size_t row_bytes = kCols / format.block_elems * format.block_bytes;
    std::vector<std::byte> blocks(kRows * row_bytes);
    double before = 0, after = 0;
    for (size_t r = 0; r < kRows; ++r) {
      format.encode(rows.data() + r * kCols, weights.data(), kCols, blocks.data() + r * row_bytes);
      format.decode(blocks.data() + r * row_bytes, decoded.data(), kCols);
      before += output_error(x, rows.data() + r * kCols, decoded.data());
    }
    refiner->refine(rows.data(), kRows, blocks.data(), row_bytes);
    for (size_t r = 0; r < kRows; ++r) {
      format.decode(blocks.data() + r * row_bytes, decoded.data(), kCols);
      after += output_error(x, rows.data() + r * kCols, decoded.data());
    }
    CHECK(after < 0.75 * before);
  }
  CHECK(n_formats >= 17);
}
