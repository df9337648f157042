#include "lib/reference/recurrent.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

namespace quern::reference {

using compute::DeltaInputs;
using compute::DeltaShape;
using compute::kZeroState;
using compute::Mat;
using compute::StateRun;

StateStore::StateStore(const compute::StateShape& shape) : compute::StateStore(shape) {
  for (const compute::StateLayer& layer : shape.layers) {
    offsets_.push_back(slot_floats_);
    slot_floats_ += uint64_t{layer.n_past} * layer.channels + uint64_t{layer.n_heads} * layer.k_dim * layer.v_dim;
  }
}

Status StateStore::grow(uint32_t n_slots) {
  try {
    while (slots_.size() < n_slots) slots_.emplace_back(slot_floats_);
  } catch (const std::bad_alloc&) {
    return fail(Errc::memory, "no memory for ", n_slots, " states of ", slot_bytes(), " bytes");
  }
  return {};
}

void StateStore::read_slot(uint32_t slot, std::span<std::byte> out) const {
  std::memcpy(out.data(), slots_[slot].data(), slot_bytes());
}

void StateStore::write_slot(uint32_t slot, std::span<const std::byte> in) {
  std::memcpy(slots_[slot].data(), in.data(), slot_bytes());
}

void conv_run(StateStore& states, uint32_t layer, Mat x, const float* taps, const StateRun& run, Mat out) {
  const uint32_t n_past = states.shape().layers[layer].n_past, n_taps = n_past + 1;
  // All inputs of the sequence that count, column by column: those of the past, then those of the run.
  for (uint32_t c = 0; c < x.cols; ++c) {
    std::vector<float> inputs(n_past, 0.0f);
    for (uint32_t i = 0; i < n_past && run.from != kZeroState; ++i)
      inputs[i] = states.past(run.from, layer)[uint64_t{i} * x.cols + c];
    for (const uint32_t row : run.rows) inputs.push_back(x.row(row)[c]);
    for (size_t i = 0; i < run.rows.size(); ++i) {
      double sum = 0;
      for (uint32_t j = 0; j < n_taps; ++j) sum += static_cast<double>(taps[uint64_t{c} * n_taps + j]) * inputs[i + j];
      out.row(run.rows[i])[c] = static_cast<float>(sum / (1 + std::exp(-sum)));
    }
    for (uint32_t i = 0; i < n_past; ++i)
      states.past(run.to, layer)[uint64_t{i} * x.cols + c] = inputs[run.rows.size() + i];
  }
}

void delta_run(StateStore& states, uint32_t layer, const DeltaShape& shape, const DeltaInputs& in, const StateRun& run,
               Mat out) {
  const uint32_t k_dim = shape.k_dim, v_dim = shape.v_dim;
  for (uint32_t h = 0; h < shape.n_heads; ++h) {
    const uint64_t offset = uint64_t{h} * k_dim * v_dim;
    float* const to = states.matrices(run.to, layer) + offset;
    std::vector<double> s(uint64_t{k_dim} * v_dim, 0.0);
    if (run.from != kZeroState) std::copy_n(states.matrices(run.from, layer) + offset, s.size(), s.begin());
    for (const uint32_t row : run.rows) {
      const float* q = in.q.row(row) + shape.k_head(h) * k_dim;
      const float* k = in.k.row(row) + shape.k_head(h) * k_dim;
      const double decay = in.decay.row(row)[h], rate = in.rate.row(row)[h];
      for (uint32_t c = 0; c < v_dim; ++c) {
        double known = 0, sum = 0;
        for (uint32_t i = 0; i < k_dim; ++i) known += s[uint64_t{i} * v_dim + c] * decay * k[i];
        const double change = rate * (in.v.row(row)[h * v_dim + c] - known);
        for (uint32_t i = 0; i < k_dim; ++i) {
          double& element = s[uint64_t{i} * v_dim + c];
          element = element * decay + k[i] * change;
          // As the store holds it: else results would depend on how the tokens are cut into passes.
          element = static_cast<float>(element);
          sum += element * q[i];
        }
        out.row(row)[h * v_dim + c] = static_cast<float>(sum * shape.scale);
      }
    }
    std::copy(s.begin(), s.end(), to);
  }
}

}  // namespace quern::reference
