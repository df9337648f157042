// What an importance matrix tells about a model: which weights see large inputs, and how unevenly these are spread over
// their columns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/convert/imatrix.h"

namespace quern::convert {

/// Of the mean squares of one weight's inputs. What has no meaning (a cosine in the first layer) is NaN.
struct ImatrixTensorStats {
  std::string name;
  int32_t layer = -1;  ///< -1: no layer's
  uint64_t n = 0;      ///< columns, of all matrices
  double sum = 0, min = 0, max = 0, mean = 0, stddev = 0;
  double active = 0;   ///< share of columns above 1e-5
  double entropy = 0;  ///< of their shares of the sum, in bits; log2(n) where all are equal
  /// Share of the columns more than one standard deviation above the mean. Dumitru et al. 2024, arXiv 2406.17415, 3.1.
  double zd_score = 0;
  double cosine = 0;  ///< similarity to the same weight's in the layer before

  double normalized_entropy() const;
};

/// By layer, then by name.
std::vector<ImatrixTensorStats> tensor_stats(const Imatrix& imatrix);

/// Means over the weights of a layer, each as heavy as it has columns; the cosine over those that have one.
struct ImatrixLayerStats {
  int32_t layer = 0;
  double sum = 0, zd_score = 0, cosine = 0;
};

std::vector<ImatrixLayerStats> layer_stats(const std::vector<ImatrixTensorStats>& tensors);

}  // namespace quern::convert
