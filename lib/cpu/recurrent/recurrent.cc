#include "lib/cpu/recurrent/recurrent.h"

#include <algorithm>
#include <cstring>

#include "lib/cpu/kernels/causal_conv.h"
#include "lib/cpu/kernels/delta_rule.h"

namespace quern::cpu {

using compute::DeltaInputs;
using compute::DeltaShape;
using compute::kZeroState;
using compute::Mat;
using compute::StateRun;

namespace {

/// Leaves the last inputs of a run.
void keep_past(float* to, const float* const* last_inputs, size_t n_past, size_t channels) {
  // In this order none is overwritten that is still needed, where past ones lie in `to` themselves.
  for (size_t i = 0; i < n_past; ++i) std::memmove(to + i * channels, last_inputs[i], channels * sizeof(float));
}

}  // namespace

void Recurrent::causal_conv(const StateStore& states, uint32_t layer, Mat x, const float* taps,
                            std::span<const StateRun> runs, Mat out) {
  const size_t n_past = states.shape().layers[layer].n_past, channels = x.cols;
  zeros_.resize(std::max(zeros_.size(), channels));
  inputs_.clear();
  rows_.clear();
  for (const StateRun& run : runs) {
    for (size_t i = 0; i < n_past; ++i)
      inputs_.push_back(run.from == kZeroState ? zeros_.data() : states.past(run.from, layer) + i * channels);
    for (const uint32_t row : run.rows) {
      rows_.push_back({inputs_.size() - n_past, row});
      inputs_.push_back(x.row(row));
    }
  }
  constexpr size_t kTaskChannels = 2048, kTaskRows = 16;
  const size_t n_chunks = (channels + kTaskChannels - 1) / kTaskChannels;
  pool_.run((rows_.size() + kTaskRows - 1) / kTaskRows * n_chunks, [&](size_t task) {
    const size_t begin = task % n_chunks * kTaskChannels, end = std::min(begin + kTaskChannels, channels);
    const size_t first = task / n_chunks * kTaskRows, last = std::min(first + kTaskRows, rows_.size());
    for (size_t i = first; i < last; ++i)
      causal_conv_row({inputs_.data() + rows_[i].input, n_past + 1}, taps, out.row(rows_[i].row), begin, end);
  });
  ends_.clear();
  for (const StateRun& run : runs) ends_.push_back((ends_.empty() ? 0 : ends_.back()) + n_past + run.rows.size());
  pool_.run(runs.size(), [&](size_t r) {
    keep_past(states.past(runs[r].to, layer), inputs_.data() + ends_[r] - n_past, n_past, channels);
  });
}

void Recurrent::delta_rule(const StateStore& states, uint32_t layer, const DeltaShape& shape, const DeltaInputs& in,
                           std::span<const StateRun> runs, Mat out) {
  pool_.run(runs.size() * shape.n_heads, [&](size_t task) {
    const StateRun& run = runs[task / shape.n_heads];
    const auto h = static_cast<uint32_t>(task % shape.n_heads);
    DeltaHead head;
    head.k_dim = shape.k_dim;
    head.v_dim = shape.v_dim;
    head.scale = shape.scale;
    head.q = in.q.row(0) + uint64_t{shape.k_head(h)} * shape.k_dim;
    head.k = in.k.row(0) + uint64_t{shape.k_head(h)} * shape.k_dim;
    head.v = in.v.row(0) + uint64_t{h} * shape.v_dim;
    head.decay = in.decay.row(0) + h;
    head.rate = in.rate.row(0) + h;
    head.out = out.row(0) + uint64_t{h} * shape.v_dim;
    head.q_stride = in.q.stride;
    head.k_stride = in.k.stride;
    head.v_stride = in.v.stride;
    head.decay_stride = in.decay.stride;
    head.rate_stride = in.rate.stride;
    head.out_stride = out.stride;
    const float* from = run.from == kZeroState ? nullptr : states.matrix(run.from, layer, h);
    delta_rule_head(head, run.rows, from, states.matrix(run.to, layer, h));
  });
}

}  // namespace quern::cpu
