// Second moments of a weight's inputs: M = X^T X summed over tokens. With them the error that a change D of the weight
// makes in its output is trace(D M D^T), which is what the choice of levels by GPTQ and its kin goes by (Frantar et al.
// 2022, arXiv 2210.17323).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/compute/ops.h"

namespace quern::convert {

/// Usable as the Sum of an ActivationCollector. Takes n_cols^2 floats.
class Moments {
 public:
  explicit Moments(uint32_t n_cols) : n_cols_(n_cols), sums_(size_t{n_cols} * n_cols) {}
  void add(const compute::MatmulInput& x);

  /// The mean over tokens plus `damping` times the mean of the diagonal on the diagonal, in full. Once, after the last
  /// add(); a column that was always 0 gets the damping alone.
  void finish(float damping = 0.01f);

  uint32_t n_cols() const { return n_cols_; }
  uint64_t n_rows() const { return n_rows_; }
  const float* row(size_t r) const { return sums_.data() + r * n_cols_; }
  std::vector<float> diagonal() const;
  static uint64_t size_bytes(uint32_t n_cols) { return uint64_t{n_cols} * n_cols * sizeof(float); }

 private:
  uint32_t n_cols_;
  uint64_t n_rows_ = 0;
  std::vector<float> sums_;  ///< until finish(): the upper triangle
};

}  // namespace quern::convert
