// Grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245): queries in groups share a key-value head. Some
// models multiply what a head hands on by sigmoids of numbers that come with its query.
#include "lib/model/blocks/attention_kind.h"

namespace quern::model {

using arch::Dim;
using arch::Slot;
using compute::Mat;
using compute::MatmulTarget;

namespace {

void rotate(const Block& block, Mat x, Mat cos_sin) {
  if (cos_sin.buffer != nullptr)
    block.stream.rope(x, block.params().k_dim, block.params().n_rot, block.rope_pairs(), cos_sin);
}

AttentionProducts key_value(const Block& block, uint32_t rows) {
  const bool has_values = block.weights.find(Slot::attn_v, block.layer) != nullptr;
  return {{block.product(Slot::attn_k, Slot::attn_k_bias, block.space.k.mat(rows, block.dim(Dim::k))),
           block.product(Slot::attn_v, Slot::attn_v_bias, block.space.v.mat(rows, block.dim(Dim::v)))},
          has_values ? size_t{2} : size_t{1}};
}

MatmulTarget query(const Block& block, uint32_t rows) {
  return block.product(Slot::attn_q, Slot::attn_q_bias, block.space.q.mat(rows, block.dim(Dim::q)));
}

void store(const Block& block, const AttentionPass& pass, const AttentionProducts& key_value) {
  const Mat k = key_value.items[0].out, v = key_value.items[1].out;
  if (key_value.n == 1) block.stream.copy(k, v);  // keys are the values too
  if (block.spec.normalized_values) block.normalize_values(v, block.params().v_dim);
  block.normalize_heads(k, Slot::attn_k_norm);
  rotate(block, k, pass.cos_sin);
  block.stream.kv_store(*pass.kv, pass.kv_layer, k, v, pass.slots);
}

/// Elements [first, first + count) of every head of q and its gate, a row for each token and head.
Mat of_gated_heads(const Block& block, Mat q, uint32_t first) {
  const uint32_t length = block.params().k_dim;
  return {q.buffer, q.offset + first, q.rows * block.params().n_head, length, 2 * length};
}

/// The same of a matrix of heads alone.
Mat of_heads(Mat x, uint32_t length) { return {x.buffer, x.offset, x.rows * (x.cols / length), length, length}; }

void attend(const Block& block, const AttentionPass& pass, Mat q, Mat x) {
  const Mat gated = q;
  if (block.hparams.output_gate) {
    q = block.space.full_heads.mat(q.rows, block.dim(Dim::attn));
    block.stream.copy(of_gated_heads(block, gated, 0), of_heads(q, block.params().k_dim));
  }
  block.normalize_heads(q, Slot::attn_q_norm);
  rotate(block, q, pass.cos_sin);
  if (pass.warmth.buffer != nullptr) block.stream.scale_rows(q, pass.warmth);
  const Mat mixed = block.space.attn.mat(q.rows, block.dim(Dim::attn));
  block.stream.attention(*pass.kv, pass.kv_layer, block.attention_shape(), q, pass.rows, mixed);
  if (block.hparams.output_gate) {
    const Mat heads = of_heads(mixed, block.params().v_dim), gate = of_gated_heads(block, gated, block.params().k_dim);
    block.stream.glu(compute::Glu::sigmoid, gate, heads, heads);
  }
  const MatmulTarget out =
      block.product(Slot::attn_output, Slot::attn_output_bias, block.space.norm.mat(q.rows, x.cols));
  block.stream.matmul(mixed, {&out, 1});
  block.add_to(x, out.out, Block::kAttentionEnd);
}

}  // namespace

const AttentionKind kGroupedAttention = {key_value, query, store, attend};

}  // namespace quern::model
