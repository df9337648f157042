#include "lib/model/blocks/attention.h"

#include <cmath>

namespace quern::model {

using arch::Dim;
using arch::Slot;
using compute::Mat;
using compute::MatmulTarget;

namespace {

void rotate(const Block& block, Mat x, Mat cos_sin) {
  const bool halves = block.spec.rope == arch::Rope::halves;
  block.stream.rope(x, block.hparams.k_dim, block.hparams.n_rot,
                    halves ? compute::RopePairs::halves : compute::RopePairs::interleaved, cos_sin);
}

MatmulTarget query(const Block& block, uint32_t rows) {
  return block.product(Slot::attn_q, Slot::attn_q_bias, block.space.q.mat(rows, block.dim(Dim::q)));
}
MatmulTarget key(const Block& block, uint32_t rows) {
  return block.product(Slot::attn_k, Slot::attn_k_bias, block.space.k.mat(rows, block.dim(Dim::k)));
}
MatmulTarget value(const Block& block, uint32_t rows) {
  return block.product(Slot::attn_v, Slot::attn_v_bias, block.space.v.mat(rows, block.dim(Dim::v)));
}

void store(const Block& block, const AttentionPass& pass, Mat k, Mat v) {
  rotate(block, k, pass.cos_sin);
  block.stream.kv_store(pass.kv, block.layer, k, v, pass.slots);
}

/// From the queries to the end of the block.
void attend(const Block& block, const AttentionPass& pass, Mat q, Mat cos_sin, Mat x) {
  const LayerParams& layer = block.params();
  compute::AttentionShape shape;
  shape.n_heads = layer.n_head;
  shape.n_kv_heads = layer.n_head_kv;
  shape.k_dim = block.hparams.k_dim;
  shape.v_dim = block.hparams.v_dim;
  shape.scale = 1 / std::sqrt(static_cast<float>(shape.k_dim));
  rotate(block, q, cos_sin);
  const Mat mixed = block.space.attn.mat(q.rows, block.dim(Dim::attn));
  block.stream.attention(pass.kv, block.layer, shape, q, pass.rows, mixed);
  const MatmulTarget out =
      block.product(Slot::attn_output, Slot::attn_output_bias, block.space.norm.mat(q.rows, x.cols));
  block.stream.matmul(mixed, {&out, 1});
  block.stream.add(x, out.out);
}

}  // namespace

void attention(const Block& block, const AttentionPass& pass, Mat x) {
  const Mat norm = block.space.norm.mat(x.rows, x.cols);
  block.normalize(x, Slot::attn_norm, norm);
  const MatmulTarget qkv[] = {query(block, x.rows), key(block, x.rows), value(block, x.rows)};
  block.stream.matmul(norm, qkv);
  store(block, pass, qkv[1].out, qkv[2].out);
  attend(block, pass, qkv[0].out, pass.cos_sin, x);
}

Mat attention_of_picked(const Block& block, const AttentionPass& pass, Mat x, std::span<const uint32_t> picked) {
  const Mat norm = block.space.norm.mat(x.rows, x.cols);
  block.normalize(x, Slot::attn_norm, norm);
  const MatmulTarget kv[] = {key(block, x.rows), value(block, x.rows)};
  block.stream.matmul(norm, kv);
  store(block, pass, kv[0].out, kv[1].out);

  const auto n = static_cast<uint32_t>(picked.size());
  const Mat rest = block.space.picked.mat(n, x.cols);
  if (n == 0) return rest;
  const Mat cos_sin = block.space.cos_sin_picked.mat(n, pass.cos_sin.cols);
  block.stream.gather_rows(x, picked, rest);
  block.stream.gather_rows(pass.cos_sin, picked, cos_sin);
  const Mat norm_picked = block.space.norm.mat(n, x.cols);
  block.normalize(rest, Slot::attn_norm, norm_picked);
  const MatmulTarget q = query(block, n);
  block.stream.matmul(norm_picked, {&q, 1});
  attend(block, pass, q.out, cos_sin, rest);
  return rest;
}

}  // namespace quern::model
