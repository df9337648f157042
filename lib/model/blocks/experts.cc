#include "lib/model/blocks/experts.h"

#include <cmath>

#include "lib/model/blocks/ffn.h"

namespace quern::model {

using arch::Slot;
using compute::ExpertTarget;
using compute::Mat;
using compute::MatmulTarget;

namespace {

compute::Routing routing_of(const Block& block) {
  const ExpertParams& experts = block.hparams.experts;
  compute::Routing routing;
  routing.choice_bias = block.weights.find(Slot::router_choice_bias, block.layer);
  routing.n_groups = experts.n_groups;
  routing.n_groups_used = experts.n_groups_used;
  switch (experts.gating) {
    case arch::Gating::none:
    case arch::Gating::softmax:
      routing.gating = compute::Gating::softmax;
      break;
    case arch::Gating::sigmoid:
      routing.gating = compute::Gating::sigmoid;
      break;
    case arch::Gating::softmax_of_chosen:
      routing.gating = compute::Gating::softmax_of_chosen;
      break;
  }
  routing.normalize = experts.normalize;
  routing.scale = experts.scale;
  return routing;
}

/// What every token goes through beside its experts: one that all share, or the layer's feed-forward block. Returns
/// what it makes of x, which `norm` is normalized from; no matrix where there is no such thing.
Mat dense_part(const Block& block, Mat norm) {
  constexpr GatedSlots kKinds[] = {
      {Slot::shared_gate, Slot::shared_up, Slot::shared_down, Slot::none, Slot::none, Slot::none},
      {Slot::ffn_gate, Slot::ffn_up, Slot::ffn_down, Slot::ffn_gate_bias, Slot::ffn_up_bias, Slot::ffn_down_bias}};
  for (const GatedSlots& slots : kKinds) {
    const compute::Weight* const gate = block.weights.find(slots.gate, block.layer);
    if (gate == nullptr) continue;
    const Mat out = block.space.shared.mat(norm.rows, norm.cols);
    gated_product(block, slots, gate->rows(), norm, out);
    if (const compute::Weight* const router = block.weights.find(Slot::shared_router, block.layer)) {
      const Mat score = block.space.shared_score.mat(norm.rows, 1);
      block.stream.matmul(norm, *router, score);
      block.stream.sigmoid(score);
      block.stream.scale_rows(out, score);
    }
    if (block.weights.find(Slot::dense_post_norm, block.layer) != nullptr)
      block.normalize(out, Slot::dense_post_norm, out);
    return out;
  }
  return {};
}

/// Which experts the rows go to, and how much each counts. `norm` may be overwritten where the router has a norm of its
/// own.
void choose_experts(const Block& block, Mat x, Mat norm, Mat chosen, Mat weights) {
  if (block.weights.find(Slot::router_norm, block.layer) != nullptr) block.normalize(x, Slot::router_norm, norm);
  const MatmulTarget scores =
      block.product(Slot::router, Slot::router_bias, block.space.scores.mat(x.rows, block.hparams.experts.n));
  block.stream.matmul(norm, {&scores, 1});
  if (block.spec.router_by_width)
    block.stream.scale(scores.out, 1 / std::sqrt(static_cast<float>(block.hparams.n_embd)));
  block.stream.route(scores.out, routing_of(block), chosen, weights);
}

}  // namespace

void mixture_of_experts(const Block& block, Mat x) {
  const ExpertParams& params = block.hparams.experts;
  const Workspace& space = block.space;
  const uint32_t n = x.rows, n_used = params.n_used;
  const Mat norm = space.norm.mat(n, x.cols);
  block.normalize(x, Slot::ffn_norm, norm);
  const Mat dense = dense_part(block, norm);
  const Mat chosen = space.chosen.mat(n, n_used), weights = space.chosen_weights.mat(n, n_used);
  choose_experts(block, x, norm, chosen, weights);
  if (block.weights.find(Slot::experts_norm, block.layer) != nullptr) block.normalize(x, Slot::experts_norm, norm);

  const auto experts = [&](Slot slot, Slot bias, Mat out) {
    return ExpertTarget{block.weights.experts(slot, block.layer), block.weights.experts(bias, block.layer), out};
  };
  const ExpertTarget gate_up[] = {
      experts(Slot::experts_gate, Slot::experts_gate_bias, space.gate.mat(n * n_used, params.n_ff)),
      experts(Slot::experts_up, Slot::experts_up_bias, space.up.mat(n * n_used, params.n_ff))};
  block.stream.matmul_experts(norm, chosen, gate_up);
  const Mat hidden = gate_up[0].out;
  block.stream.glu(block.glu(), hidden, gate_up[1].out, hidden);
  const ExpertTarget down =
      experts(Slot::experts_down, Slot::experts_down_bias, space.expert_out.mat(n * n_used, x.cols));
  block.stream.matmul_experts(hidden, chosen, {&down, 1});
  block.stream.combine(down.out, weights, norm);
  if (block.weights.find(Slot::experts_post_norm, block.layer) != nullptr)
    block.normalize(norm, Slot::experts_post_norm, norm);
  if (dense.buffer != nullptr) block.stream.add(norm, dense);
  block.add_to(x, norm, Block::kFfnEnd);
}

}  // namespace quern::model
