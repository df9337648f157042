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
  const MatmulTarget products[] = {
      block.product(Slot::delta_q_k_v, Slot::none, mixed), block.product(Slot::delta_gate, Slot::none, gate),
      block.product(Slot::delta_decay, Slot::none, decay), block.product(Slot::delta_rate, Slot::none, rate)};
  stream.matmul(norm, products);

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
