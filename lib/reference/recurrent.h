// Recurrent layers of the reference backend: the state as plain arrays, sums in double.
#pragma once

#include <vector>

#include "lib/compute/ops.h"

namespace quern::reference {

/// Per slot and layer: the past inputs of the convolution, [n_past, channels], then [n_heads, k_dim, v_dim].
class StateStore final : public compute::StateStore {
 public:
  explicit StateStore(const compute::StateShape& shape);

  uint32_t n_slots() const override { return static_cast<uint32_t>(slots_.size()); }
  Status grow(uint32_t n_slots) override;
  uint64_t slot_bytes() const override { return slot_floats_ * sizeof(float); }
  void read_slot(uint32_t slot, std::span<std::byte> out) const override;
  void write_slot(uint32_t slot, std::span<const std::byte> in) override;
  std::string layout() const override { return "reference"; }

  float* past(uint32_t slot, uint32_t layer) { return slots_[slot].data() + offsets_[layer]; }
  float* matrices(uint32_t slot, uint32_t layer) {
    const compute::StateLayer& l = shape().layers[layer];
    return past(slot, layer) + uint64_t{l.n_past} * l.channels;
  }

 private:
  std::vector<uint64_t> offsets_;  ///< by layer, in floats
  uint64_t slot_floats_ = 0;
  std::vector<std::vector<float>> slots_;
};

/// Stream::causal_conv for one run.
void conv_run(StateStore& states, uint32_t layer, compute::Mat x, const float* taps, const compute::StateRun& run,
              compute::Mat out);
/// Stream::delta_rule for one run.
void delta_run(StateStore& states, uint32_t layer, const compute::DeltaShape& shape, const compute::DeltaInputs& in,
               const compute::StateRun& run, compute::Mat out);

}  // namespace quern::reference
