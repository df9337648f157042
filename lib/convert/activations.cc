#include "lib/convert/activations.h"

#include <algorithm>

namespace quern::convert {

void SquareSums::add(const compute::MatmulInput& x) {
  constexpr size_t kColumns = 1024;  // their sums stay in the first cache while the rows go by
  for (size_t begin = 0; begin < sums_.size(); begin += kColumns) {
    const size_t n = std::min(kColumns, sums_.size() - begin);
    double* sums = sums_.data() + begin;
    for (uint32_t r = 0; r < x.rows; ++r) {
      const float* row = x.row(r) + begin;
      for (size_t i = 0; i < n; ++i) sums[i] += static_cast<double>(row[i]) * static_cast<double>(row[i]);
    }
  }
  n_rows_ += x.rows;
}

WatchedWeights watched_weights(const model::Weights& weights, bool output) {
  WatchedWeights watched;
  weights.for_each([&](const compute::Weight& weight, const std::string& name) {
    if (weight.multiplies() && (output || name.starts_with("blk."))) watched[&weight] = name;
  });
  return watched;
}

}  // namespace quern::convert
