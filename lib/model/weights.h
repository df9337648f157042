// The prepared tensors of a model by slot and layer.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
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
    return tables_[table(slot, layer)][index(slot)].weight.get();
  }
  /// For tensors that binding has made sure of.
  const compute::Weight& get(arch::Slot slot, uint32_t layer = 0) const { return *find(slot, layer); }
  void set(arch::Slot slot, uint32_t layer, std::unique_ptr<compute::Weight> weight, std::string name) {
    tables_[table(slot, layer)][index(slot)] = {std::move(weight), std::move(name)};
  }
  bool empty() const { return tables_.empty(); }

  /// A weight and the tensor of the file that it was prepared from: of tied embeddings two weights have one name.
  struct Named {
    std::unique_ptr<compute::Weight> weight;
    std::string name;
  };
  /// Calls f(const Named&) for each.
  template <class F>
  void for_each(F&& f) const {
    for (const auto& slots : tables_) {
      for (const Named& entry : slots) {
        if (entry.weight) f(entry);
      }
    }
  }
  /// Whether the weights of any product are quantized.
  bool quantized() const {
    bool any = false;
    for_each([&](const Named& entry) {
      any |= entry.weight->multiplies() && quant::find_format(entry.weight->type())->block_elems > 1;
    });
    return any;
  }
  /// Memory beyond the file's mapping.
  uint64_t size_bytes() const {
    uint64_t sum = 0;
    for_each([&](const Named& entry) { sum += entry.weight->size_bytes(); });
    return sum;
  }

 private:
  static size_t index(arch::Slot slot) { return static_cast<size_t>(slot); }
  static size_t table(arch::Slot slot, uint32_t layer) { return arch::is_per_layer(slot) ? layer + 1 : 0; }
  std::vector<std::array<Named, arch::kSlots>> tables_;  ///< [0]: of the whole model
};

}  // namespace quern::model
