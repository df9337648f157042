#include "lib/model/blocks/experts.h"

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

}  // namespace

void mixture_of_experts(const Block& block, Mat x) {
  const ExpertParams& params = block.hparams.experts;
  const Workspace& space = block.space;
  const uint32_t n = x.rows, n_used = params.n_used;
  const Mat norm = space.norm.mat(n, x.cols);
  block.normalize(x, Slot::ffn_norm, norm);

  const MatmulTarget scores = block.product(Slot::router, Slot::router_bias, space.scores.mat(n, params.n));
  block.stream.matmul(norm, {&scores, 1});
  const Mat chosen = space.chosen.mat(n, n_used), weights = space.chosen_weights.mat(n, n_used);
  block.stream.route(scores.out, routing_of(block), chosen, weights);

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

  const bool shared = params.n_ff_shared > 0;
  const Mat shared_out = shared ? space.shared.mat(n, x.cols) : Mat{};
  if (shared) {
    constexpr GatedSlots kShared{Slot::shared_gate, Slot::shared_up, Slot::shared_down,
                                 Slot::none,        Slot::none,      Slot::none};
    gated_product(block, kShared, params.n_ff_shared, norm, shared_out);
    if (const compute::Weight* const router = block.weights.find(Slot::shared_router, block.layer)) {
      const Mat score = space.shared_score.mat(n, 1);
      block.stream.matmul(norm, *router, score);
      block.stream.sigmoid(score);
      block.stream.scale_rows(shared_out, score);
    }
  }
  block.stream.combine(down.out, weights, norm);
  if (shared) block.stream.add(norm, shared_out);
  block.add_to(x, norm, Block::kFfnEnd);
}

}  // namespace quern::model
