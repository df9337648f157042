#include "lib/model/blocks/attention.h"

namespace quern::model {

using arch::Dim;
using arch::Slot;
using compute::Mat;
using compute::MatmulTarget;

namespace {

void rotate(const Block& block, Mat x, Mat cos_sin) {
  if (cos_sin.buffer == nullptr) return;
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
  block.normalize_heads(k, Slot::attn_k_norm);
  rotate(block, k, pass.cos_sin);
  block.stream.kv_store(pass.kv, block.layer, k, v, pass.slots);
}

/// From the queries to the end of the block.
void attend(const Block& block, const AttentionPass& pass, Mat q, Mat x) {
  const LayerParams& layer = block.params();
  compute::AttentionShape shape;
  shape.n_heads = layer.n_head;
  shape.n_kv_heads = layer.n_head_kv;
  shape.k_dim = block.hparams.k_dim;
  shape.v_dim = block.hparams.v_dim;
  shape.scale = block.hparams.attention_scale;
  shape.softcap = block.hparams.attention_softcap;
  shape.sinks = block.weights.find(Slot::attn_sinks, block.layer);
  block.normalize_heads(q, Slot::attn_q_norm);
  rotate(block, q, pass.cos_sin);
  if (pass.warmth.buffer != nullptr) block.stream.scale_rows(q, pass.warmth);
  const Mat mixed = block.space.attn.mat(q.rows, block.dim(Dim::attn));
  block.stream.attention(pass.kv, block.layer, shape, q, pass.rows, mixed);
  const MatmulTarget out =
      block.product(Slot::attn_output, Slot::attn_output_bias, block.space.norm.mat(q.rows, x.cols));
  block.stream.matmul(mixed, {&out, 1});
  block.add_to(x, out.out, Slot::attn_post_norm);
}

}  // namespace

void attention(const Block& block, const AttentionPass& pass, Mat x) {
  const Mat norm = block.space.norm.mat(x.rows, x.cols);
  block.normalize(x, Slot::attn_norm, norm);
  const MatmulTarget qkv[] = {query(block, x.rows), key(block, x.rows), value(block, x.rows)};
  block.stream.matmul(norm, qkv);
  store(block, pass, qkv[1].out, qkv[2].out);
  attend(block, pass, qkv[0].out, x);
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
  block.stream.gather_rows(x, picked, rest);
  AttentionPass pass_picked = pass;
  const auto gather = [&](Mat all, const Workspace::Region& region) {
    if (all.buffer == nullptr) return all;
    const Mat out = region.mat(n, all.cols);
    block.stream.gather_rows(all, picked, out);
    return out;
  };
  pass_picked.cos_sin = gather(pass.cos_sin, block.space.cos_sin_picked);
  pass_picked.warmth = gather(pass.warmth, block.space.warmth_picked);
  const Mat norm_picked = block.space.norm.mat(n, x.cols);
  block.normalize(rest, Slot::attn_norm, norm_picked);
  const MatmulTarget q = query(block, n);
  block.stream.matmul(norm_picked, {&q, 1});
  attend(block, pass_picked, q.out, rest);
  return rest;
}

}  // namespace quern::model
