// Choosing levels by what a weight's inputs make of their errors, with the scales of the blocks as they are.
#pragma once

#include <cstddef>
#include <vector>

#include "lib/convert/moments.h"
#include "lib/quant/format.h"

namespace quern::convert {

/// Coordinate descent. With r the error of a row (decoded - source) and M the moments, the row's output error is r M
/// r^T. Every element in turn moves to the level that makes this least while the others stay; the gradient G = r M
/// follows. In a few sweeps nothing moves any more; the error never grows. So a rounding error is made good by the
/// elements whose inputs go along with it, which is also what GPTQ does, in one pass and from the left to the right.
/// Works in place and leaves a row of ordinary blocks.
class Refiner {
 public:
  /// finish() must have been called on the moments, which are borrowed. The format must have level_access.
  Refiner(const quant::FormatInfo& format, const Moments& moments) : format_(format), moments_(moments) {}

  /// Rows side by side: M is read once for all of them.
  static constexpr size_t kRows = 8;
  /// n <= kRows rows of n_cols floats one behind the other, and their blocks.
  void refine(const float* rows, size_t n, std::byte* blocks, size_t row_bytes);

 private:
  void load_row(const float* row, const std::byte* blocks, size_t r);
  void sweep_row(size_t r);

  const quant::FormatInfo& format_;
  const Moments& moments_;
  std::vector<float> errors_, gradient_, scale_, min_;  ///< [kRows, n_cols]; scales per sub-block
  std::vector<int8_t> levels_;
  std::vector<float> decoded_;
};

}  // namespace quern::convert
