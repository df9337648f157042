#include "lib/model/blocks/ffn.h"

namespace quern::model {

using arch::Dim;
using arch::Slot;
using compute::Mat;
using compute::MatmulTarget;

void feed_forward(const Block& block, Mat x) {
  const Mat norm = block.space.norm.mat(x.rows, x.cols);
  block.normalize(x, Slot::ffn_norm, norm);
  const uint64_t n_ff = block.dim(Dim::ff);
  const MatmulTarget gate_up[] = {
      block.product(Slot::ffn_gate, Slot::ffn_gate_bias, block.space.gate.mat(x.rows, n_ff)),
      block.product(Slot::ffn_up, Slot::ffn_up_bias, block.space.up.mat(x.rows, n_ff)),
  };
  block.stream.matmul(norm, gate_up);
  const Mat hidden = gate_up[0].out;
  block.stream.swiglu(hidden, gate_up[1].out, hidden);
  const MatmulTarget down = block.product(Slot::ffn_down, Slot::ffn_down_bias, norm);
  block.stream.matmul(hidden, {&down, 1});
  block.stream.add(x, norm);
}

}  // namespace quern::model
