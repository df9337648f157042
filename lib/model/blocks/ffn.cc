#include "lib/model/blocks/ffn.h"

namespace quern::model {

using arch::Dim;
using arch::Slot;
using compute::Mat;
using compute::MatmulTarget;

void gated_product(const Block& block, const GatedSlots& slots, uint64_t n_ff, Mat in, Mat out) {
  const MatmulTarget gate_up[] = {
      block.product(slots.gate, slots.gate_bias, block.space.gate.mat(in.rows, n_ff)),
      block.product(slots.up, slots.up_bias, block.space.up.mat(in.rows, n_ff)),
  };
  block.stream.matmul(in, gate_up);
  const Mat hidden = gate_up[0].out;
  block.stream.glu(block.glu(), hidden, gate_up[1].out, hidden);
  const MatmulTarget down = block.product(slots.down, slots.down_bias, out);
  block.stream.matmul(hidden, {&down, 1});
}

namespace {

/// out = W_down gelu(W_up in); out may be in.
void plain_product(const Block& block, const GatedSlots& slots, uint64_t n_ff, Mat in, Mat out) {
  const MatmulTarget up = block.product(slots.up, slots.up_bias, block.space.up.mat(in.rows, n_ff));
  block.stream.matmul(in, {&up, 1});
  block.stream.gelu(up.out);
  const MatmulTarget down = block.product(slots.down, slots.down_bias, out);
  block.stream.matmul(up.out, {&down, 1});
}

}  // namespace

void feed_forward(const Block& block, Mat x) {
  constexpr GatedSlots kSlots{Slot::ffn_gate,      Slot::ffn_up,      Slot::ffn_down,
                              Slot::ffn_gate_bias, Slot::ffn_up_bias, Slot::ffn_down_bias};
  const Mat norm = block.space.norm.mat(x.rows, x.cols);
  block.normalize(x, Slot::ffn_norm, norm);
  if (block.hparams.ffn == arch::Ffn::gelu) {
    plain_product(block, kSlots, block.dim(Dim::ff), norm, norm);
  } else {
    gated_product(block, kSlots, block.dim(Dim::ff), norm, norm);
  }
  block.add_to(x, norm, Block::kFfnEnd);
}

}  // namespace quern::model
