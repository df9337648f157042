// Rotary position embedding: angle = position * inv_freq[i] for the i-th pair of a head.
//   inv_freq[i] = base^(-2i / n_rot) / divisor[i]           Su et al. 2021 (arXiv 2104.09864); Llama 3 adds the
//   divisors linear scaling: inv_freq / factor                       Chen et al. 2023 (arXiv 2306.15595) YaRN: pairs
//   that turn more than beta_fast times over the original context keep their angle, those that turn less than beta_slow
//   times are scaled, those between are mixed; and cosines and sines grow by 0.1 ln(factor) + 1.
//                                                           Peng et al. 2023 (arXiv 2309.00071)
// LongRoPE: divisors, of which there is a set for short contexts and one for long ones; which one is right depends on
// the length of the context, not on the position.           Ding et al. 2024 (arXiv 2402.13753)
// Computed in double: a float angle at position 100000 would be off by more than a thousandth of a turn.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lib/model/hparams.h"

namespace quern::model {

class RopeTable {
 public:
  RopeTable() = default;
  /// `divisors`: n_rot / 2 positive numbers, or none.
  RopeTable(const RopeParams& params, uint32_t n_rot, std::span<const float> divisors);

  uint32_t n_rot() const { return static_cast<uint32_t>(2 * inv_freq_.size()); }
  std::span<const double> inv_freq() const { return inv_freq_; }
  double magnitude() const { return magnitude_; }

  /// For each position n_rot/2 cosines, then as many sines: the table that Stream::rope takes. out: [positions, n_rot].
  void fill(std::span<const int32_t> positions, std::span<float> out) const;

 private:
  std::vector<double> inv_freq_;
  double magnitude_ = 1;  ///< multiplies cosines and sines
};

/// The rotary embeddings of a model.
struct RopeTables {
  RopeTable global;
  RopeTable long_context;  ///< LongRoPE: in place of `global` in contexts longer than the original one
  bool has_long = false;
  RopeTable local;  ///< of layers with LayerRope::local; empty where there are none
};

}  // namespace quern::model
