#include "lib/model/blocks/delta_net.h"

#include <algorithm>
#include <cmath>

namespace quern::model {

using arch::Dim;
using arch::Slot;
using compute::Mat;
using compute::MatmulTarget;

namespace {

compute::DeltaShape shape_of(const Block& block) {
  const DeltaParams& delta = block.hparams.delta;
  compute::DeltaShape shape;
  shape.n_k_heads = delta.n_k_heads;
  shape.n_heads = delta.n_heads;
  shape.k_dim = delta.k_dim;
  shape.v_dim = delta.v_dim;
  shape.neighbours_share = block.spec.delta_neighbours_share;
  shape.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(delta.k_dim)));
  return shape;
}

/// What decay and rate are made of, out of the product that has both: for each head of the keys as many rates as it has
/// heads of the values, and then as many decays.
void split_rates(const Block& block, const compute::DeltaShape& shape, Mat both, Mat decay, Mat rate) {
  const uint32_t n = both.rows * shape.n_k_heads, each = shape.n_heads / shape.n_k_heads;
  const auto heads = [&](Mat m, uint32_t first, uint32_t stride) {
    return Mat{m.buffer, m.offset + first, n, each, stride};
  };
  block.stream.copy(heads(both, 0, 2 * each), heads(rate, 0, each));
  block.stream.copy(heads(both, each, 2 * each), heads(decay, 0, each));
}

}  // namespace

void delta_net(const Block& block, const StatePass& pass, Mat x) {
  const Workspace& space = block.space;
  compute::Stream& stream = block.stream;
  const compute::DeltaShape shape = shape_of(block);
  const uint32_t n = x.rows, k_cols = shape.n_k_heads * shape.k_dim, v_cols = shape.n_heads * shape.v_dim;
  const Mat norm = space.norm.mat(n, x.cols);
  block.normalize(x, Slot::attn_norm, norm);

  const Mat mixed = space.q.mat(n, block.dim(Dim::delta_q_k_v)), gate = space.gate.mat(n, v_cols);
  const Mat decay = space.decay.mat(n, shape.n_heads), rate = space.rate.mat(n, shape.n_heads);
  const Mat both = space.attn.mat(n, 2 * shape.n_heads);
  const bool joined = block.weights.find(Slot::delta_rates, block.layer) != nullptr;
  const MatmulTarget products[] = {
      block.product(Slot::delta_q_k_v, Slot::none, mixed), block.product(Slot::delta_gate, Slot::none, gate),
      joined ? block.product(Slot::delta_rates, Slot::none, both) : block.product(Slot::delta_rate, Slot::none, rate),
      block.product(Slot::delta_decay, Slot::none, decay)};
  stream.matmul(norm, std::span(products).first(joined ? 3 : 4));
  if (joined) split_rates(block, shape, both, decay, rate);

  const Mat q_k_v = space.up.mat(n, mixed.cols);
  stream.causal_conv(pass.states, block.layer, mixed, block.weight(Slot::delta_taps), pass.runs, q_k_v);
  stream.l2_norm(q_k_v.columns(0, 2 * k_cols), shape.k_dim, block.hparams.rms_eps);
  stream.decay(decay, block.weight(Slot::delta_decay_rate), block.weight(Slot::delta_decay_bias));
  stream.sigmoid(rate);
  const compute::DeltaInputs in{q_k_v.columns(0, k_cols), q_k_v.columns(k_cols, k_cols),
                                q_k_v.columns(2 * k_cols, v_cols), decay, rate};
  const Mat out = space.attn.mat(n, v_cols);
  stream.delta_rule(pass.states, block.layer, shape, in, pass.runs, out);
  block.normalize_heads(out, Slot::delta_norm);
  stream.glu(compute::Glu::silu, gate, out, gate);
  const MatmulTarget output = block.product(Slot::delta_output, Slot::none, norm);
  stream.matmul(gate, {&output, 1});
  block.add_to(x, norm, Block::kAttentionEnd);
}

compute::StateShape state_shape(const Hparams& hparams) {
  const auto recurrent = [](const LayerParams& layer) { return layer.mixer == LayerMixer::delta_net; };
  compute::StateShape shape;
  if (std::none_of(hparams.layers.begin(), hparams.layers.end(), recurrent)) return shape;
  const DeltaParams& delta = hparams.delta;
  for (const LayerParams& layer : hparams.layers) {
    shape.layers.push_back({});
    if (!recurrent(layer)) continue;
    shape.layers.back() = {delta.n_taps - 1, static_cast<uint32_t>(delta.q_k_v()), delta.n_heads, delta.k_dim,
                           delta.v_dim};
  }
  return shape;
}

}  // namespace quern::model
