// The states of recurrent layers of the CPU backend. A slot is one run of memory: layer after layer the past inputs of
// the convolution, [n_past, channels], and then for every head the tiles of its matrix (kernels/delta_rule.h).
#pragma once

#include <vector>

#include "lib/compute/state.h"
#include "lib/cpu/arena.h"

namespace quern::cpu {

class StateStore final : public compute::StateStore {
 public:
  explicit StateStore(const compute::StateShape& shape);

  uint32_t n_slots() const override { return static_cast<uint32_t>(slots_.size()); }
  Status grow(uint32_t n_slots) override;
  uint64_t slot_bytes() const override { return slot_floats_ * sizeof(float); }
  void read_slot(uint32_t slot, std::span<std::byte> out) const override;
  void write_slot(uint32_t slot, std::span<const std::byte> in) override;
  std::string layout() const override { return "cpu"; }

  float* past(uint32_t slot, uint32_t layer) const { return slots_[slot] + layers_[layer].past; }
  float* matrix(uint32_t slot, uint32_t layer, uint32_t head) const {
    return slots_[slot] + layers_[layer].matrices + head * layers_[layer].matrix_floats;
  }

 private:
  /// In floats, from the slot's beginning on.
  struct LayerLayout {
    uint64_t past, matrices, matrix_floats;
  };
  std::vector<LayerLayout> layers_;
  uint64_t slot_floats_ = 0;
  Arena arena_;
  std::vector<ArenaMemory> slabs_;
  std::vector<float*> slots_;
};

}  // namespace quern::cpu
