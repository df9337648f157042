// The prepared tensors of a model by slot and layer.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "lib/arch/spec.h"
#include "lib/compute/ops.h"
#include "lib/quant/format.h"

namespace quern::model {

class Weights {
 public:
  Weights() = default;
  explicit Weights(uint32_t n_layer) : tables_(n_layer + 1) {}

  /// nullptr where the model has no such (optional) tensor. `layer` counts for the slots that exist per layer.
  const compute::Weight* find(arch::Slot slot, uint32_t layer = 0) const {
    return tables_[table(slot, layer)][index(slot)].get();
  }
  /// For tensors that binding has made sure of.
  const compute::Weight& get(arch::Slot slot, uint32_t layer = 0) const { return *find(slot, layer); }
  void set(arch::Slot slot, uint32_t layer, std::unique_ptr<compute::Weight> weight) {
    tables_[table(slot, layer)][index(slot)] = std::move(weight);
  }
  bool empty() const { return tables_.empty(); }
  /// Whether the weights of any product are quantized.
  bool quantized() const {
    for (const auto& slots : tables_) {
      for (const auto& weight : slots) {
        if (weight && weight->multiplies() && quant::find_format(weight->type())->block_elems > 1) return true;
      }
    }
    return false;
  }
  /// Memory beyond the file's mapping.
  uint64_t size_bytes() const {
    uint64_t sum = 0;
    for (const auto& slots : tables_) {
      for (const auto& weight : slots) sum += weight ? weight->size_bytes() : 0;
    }
    return sum;
  }

 private:
  static size_t index(arch::Slot slot) { return static_cast<size_t>(slot); }
  static size_t table(arch::Slot slot, uint32_t layer) { return arch::is_per_layer(slot) ? layer + 1 : 0; }
  std::vector<std::array<std::unique_ptr<compute::Weight>, arch::kSlots>> tables_;  ///< [0]: of the whole model
};

}  // namespace quern::model
