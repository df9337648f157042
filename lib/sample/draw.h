// One draw from the candidates' probabilities.
#pragma once

#include "lib/base/rng.h"
#include "lib/sample/candidates.h"

namespace quern::sample {

/// The index where the running sum of probabilities first exceeds u times their total, u uniform in [0, 1). The sums
/// are doubles and run in the candidates' order. A token of probability 0 is never drawn. softmax() has been called.
inline size_t draw(const Candidates& candidates, base::Rng& rng) {
  double total = 0, sum = 0;
  for (const auto& c : candidates.items()) total += c.probability;
  const double target = rng.uniform() * total;
  size_t last = 0;  // where rounding has made the target the total itself
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (!(candidates[i].probability > 0)) continue;
    sum += candidates[i].probability;
    last = i;
    if (sum > target) break;
  }
  return last;
}

}  // namespace quern::sample
