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
  weights.for_each([&](const compute::Weight& weight, const std::string& name, size_t expert, size_t n_experts) {
    if (weight.multiplies() && (output || name.starts_with("blk."))) watched[&weight] = {name, expert, n_experts};
  });
  // Older files have a tensor for each expert: these are one matrix each.
  std::map<std::string, size_t> n_of_name;
  for (const auto& [weight, entry] : watched) ++n_of_name[entry.name];
  for (auto& [weight, entry] : watched) {
    if (entry.n_matrices > 1 && n_of_name[entry.name] == 1) entry.matrix = 0, entry.n_matrices = 1;
  }
  return watched;
}

}  // namespace quern::convert
