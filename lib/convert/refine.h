// Choosing what blocks hold by what a weight's inputs make of their errors, with the scales of the blocks as they are.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lib/convert/moments.h"
#include "lib/quant/format.h"

namespace quern::convert {

/// Coordinate descent. With r the error of a row (decoded - source) and M the moments, the row's output error is r M
/// r^T. Every element in turn (every eight of them, where blocks hold points of a grid) moves to the value that makes
/// this least while the others stay; the gradient G = r M follows. In a few sweeps nothing moves any more; the error
/// never grows. So a rounding error is made good by the elements whose inputs go along with it, which is also what GPTQ
/// does, in one pass and from the left to the right. Works in place and leaves rows of ordinary blocks.
class Refiner {
 public:
  /// finish() must have been called on the moments, which are borrowed. nullptr for a format whose blocks cannot be
  /// had as levels or points.
  static std::unique_ptr<Refiner> make(const quant::FormatInfo& format, const Moments& moments);
  static bool can(const quant::FormatInfo& format) {
    return format.level_access.sub > 0 || format.point_access.sub > 0;
  }
  virtual ~Refiner() = default;

  /// Rows side by side: M is read once for all of them.
  static constexpr size_t kRows = 8;
  /// n <= kRows rows of n_cols floats one behind the other, and their blocks.
  void refine(const float* rows, size_t n, std::byte* blocks, size_t row_bytes);

 protected:
  static constexpr int kSweeps = 6;

  Refiner(const quant::FormatInfo& format, const Moments& moments) : format_(format), moments_(moments) {}
  /// Sweeps over one row until nothing moves, keeps `gradient` up to date and puts the outcome into the blocks.
  /// decoded: the row's values as they are.
  virtual void sweep(const float* decoded, float* gradient, std::byte* blocks) = 0;
  /// gradient += change * (row k of the moments).
  void follow(size_t k, float change, float* gradient) const;

  const quant::FormatInfo& format_;
  const Moments& moments_;

 private:
  std::vector<float> decoded_, gradient_;  ///< [kRows, n_cols]
};

/// For refine.cc: the refiners of the two kinds of formats.
std::unique_ptr<Refiner> make_level_refiner(const quant::FormatInfo& format, const Moments& moments);
std::unique_ptr<Refiner> make_point_refiner(const quant::FormatInfo& format, const Moments& moments);

}  // namespace quern::convert
