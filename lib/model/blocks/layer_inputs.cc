#include "lib/model/blocks/layer_inputs.h"

#include <cmath>

namespace quern::model {

using arch::Dim;
using arch::Slot;
using compute::Mat;
using compute::MatmulTarget;

Mat layer_inputs(const Block& block, std::span<const int32_t> tokens, Mat x) {
  const uint64_t all = block.dim(Dim::layer_inputs);
  const Mat table = block.space.layer_inputs.mat(x.rows, all), made = block.space.layer_inputs_picked.mat(x.rows, all);
  block.stream.embed(block.weight(Slot::layer_inputs_embd), tokens, table);
  block.stream.scale(table, std::sqrt(static_cast<float>(block.hparams.n_layer_input)));
  const MatmulTarget product = block.product(Slot::layer_inputs_proj, Slot::none, made);
  block.stream.matmul(x, {&product, 1});
  block.stream.scale(made, 1 / std::sqrt(static_cast<float>(block.hparams.n_embd)));
  block.normalize_heads(made, Slot::layer_inputs_norm);
  block.stream.add(table, made);
  block.stream.scale(table, std::sqrt(0.5f));
  return table;
}

void add_layer_input(const Block& block, Mat of_layers, Mat x) {
  const uint32_t length = block.hparams.n_layer_input;
  const MatmulTarget gate = block.product(Slot::layer_input_gate, Slot::none, block.space.gate.mat(x.rows, length));
  block.stream.matmul(x, {&gate, 1});
  block.stream.glu(compute::Glu::gelu, gate.out, of_layers.columns(block.layer * length, length), gate.out);
  const MatmulTarget out = block.product(Slot::layer_input_out, Slot::none, block.space.norm.mat(x.rows, x.cols));
  block.stream.matmul(gate.out, {&out, 1});
  block.apply_norm(out.out, Slot::layer_input_post_norm, out.out);
  block.stream.add(x, out.out);
}

}  // namespace quern::model
