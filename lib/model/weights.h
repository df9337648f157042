// The prepared tensors of a model by slot and layer.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lib/arch/spec.h"
#include "lib/compute/ops.h"
#include "lib/quant/format.h"

namespace quern::model {

class Weights {
  struct List {
    std::vector<std::unique_ptr<compute::Weight>> weights;
    std::vector<std::string> names;  ///< of the tensors that they were prepared from
  };

 public:
  Weights() = default;
  explicit Weights(uint32_t n_layer) : tables_(n_layer + 1) {}

  /// nullptr where the model has no such (optional) tensor. `layer` counts for the slots that exist per layer.
  const compute::Weight* find(arch::Slot slot, uint32_t layer = 0) const {
    const List& list = tables_[table(slot, layer)][index(slot)];
    return list.weights.empty() ? nullptr : list.weights.front().get();
  }
  /// For tensors that binding has made sure of.
  const compute::Weight& get(arch::Slot slot, uint32_t layer = 0) const { return *find(slot, layer); }
  /// Of every expert in order; empty where the model has no such tensor.
  std::span<const std::unique_ptr<compute::Weight>> experts(arch::Slot slot, uint32_t layer) const {
    return tables_[table(slot, layer)][index(slot)].weights;
  }
  /// Experts come in order, from 0 on; other weights are expert 0. `name`: of the tensor in the file; of tied
  /// embeddings two weights have one name, as have the parts of a fused tensor.
  void add(arch::Slot slot, uint32_t layer, std::unique_ptr<compute::Weight> weight, std::string name) {
    List& list = tables_[table(slot, layer)][index(slot)];
    list.weights.push_back(std::move(weight));
    list.names.push_back(std::move(name));
  }
  /// Exchanges `old`, which must be one of these, for another weight of its shape and use.
  void exchange(const compute::Weight* old, std::unique_ptr<compute::Weight>& other) {
    for (auto& slots : tables_) {
      for (List& list : slots) {
        for (auto& weight : list.weights) {
          if (weight.get() == old) return std::swap(weight, other);
        }
      }
    }
  }
  bool empty() const { return tables_.empty(); }
  /// Calls f(weight, name of its tensor, number of its expert, number of experts) for each; one of one where there are
  /// no experts.
  template <class F>
  void for_each(F&& f) const {
    for (const auto& slots : tables_) {
      for (const List& list : slots) {
        for (size_t i = 0; i < list.weights.size(); ++i) f(*list.weights[i], list.names[i], i, list.weights.size());
      }
    }
  }
  /// Whether the weights of any product are quantized.
  bool quantized() const {
    bool found = false;
    for_each([&](const compute::Weight& weight, const std::string&, size_t, size_t) {
      found |= weight.multiplies() && quant::find_format(weight.type())->block_elems > 1;
    });
    return found;
  }
  /// Memory beyond the file's mapping.
  uint64_t size_bytes() const {
    uint64_t sum = 0;
    for_each([&](const compute::Weight& weight, const std::string&, size_t, size_t) { sum += weight.size_bytes(); });
    return sum;
  }

 private:
  static size_t index(arch::Slot slot) { return static_cast<size_t>(slot); }
  static size_t table(arch::Slot slot, uint32_t layer) { return arch::is_per_layer(slot) ? layer + 1 : 0; }
  std::vector<std::array<List, arch::kSlots>> tables_;  ///< [0]: of the whole model
};

}  // namespace quern::model
