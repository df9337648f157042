// Latent attention whose cache holds the keys and values themselves, as files from before April 2025 are made for: with
// K_h and V_h in one tensor, their rows behind each other for every head,
//   key_h = (K_h c, r), value_h = V_h c
// are made of every token's c when it comes. See latent_attention.cc for the other way.
#include "lib/model/blocks/attention_kind.h"

namespace quern::model {

using arch::Dim;
using arch::Slot;
using compute::Mat;
using compute::MatmulTarget;

namespace {

/// Columns [first, first + count) of every head, as a row for each token and head.
Mat of_heads(Mat x, uint32_t head_dim, uint32_t first, uint32_t count) {
  return {x.buffer, x.offset + first, x.rows * (x.cols / head_dim), count, head_dim};
}

AttentionProducts key_value(const Block& block, uint32_t rows) {
  return {{block.product(Slot::attn_kv_a, Slot::none, block.space.latent.mat(rows, block.dim(Dim::kv_latent)))}, 1};
}

/// The queries, or what the second step makes them of.
MatmulTarget query(const Block& block, uint32_t rows) {
  if (block.hparams.latent.q_rank == 0)
    return block.product(Slot::attn_q, Slot::none, block.space.q.mat(rows, block.dim(Dim::q_full)));
  return block.product(Slot::attn_q_a, Slot::none, block.space.q_rank.mat(rows, block.dim(Dim::q_rank)));
}

void store(const Block& block, const AttentionPass& pass, const AttentionProducts& key_value) {
  const LatentParams& latent = block.hparams.latent;
  const uint32_t n_rot = block.hparams.n_rot, plain = latent.k_dim - n_rot, both = plain + latent.v_dim;
  const Mat made_of = key_value.items[0].out;
  const Mat c = made_of.columns(0, latent.kv_rank), r = made_of.columns(latent.kv_rank, n_rot);
  block.normalize(c, Slot::attn_kv_a_norm, c);
  block.stream.rope(r, n_rot, n_rot, block.rope_pairs(), pass.cos_sin);
  const Mat full = block.space.full_heads.mat(c.rows, block.dim(Dim::kv_full));
  const MatmulTarget heads = block.product(Slot::attn_kv_b, Slot::none, full);
  block.stream.matmul(c, {&heads, 1});
  const Mat k = block.space.k.mat(c.rows, block.dim(Dim::k)), v = block.space.v.mat(c.rows, block.dim(Dim::v));
  block.stream.copy(of_heads(full, both, 0, plain), of_heads(k, latent.k_dim, 0, plain));
  for (uint32_t head = 0; head < block.params().n_head; ++head)
    block.stream.copy(r, k.columns(head * latent.k_dim + plain, n_rot));
  block.stream.copy(of_heads(full, both, plain, latent.v_dim), of_heads(v, latent.v_dim, 0, latent.v_dim));
  block.stream.kv_store(*pass.kv, pass.kv_layer, k, v, pass.slots);
}

void attend(const Block& block, const AttentionPass& pass, Mat q, Mat x) {
  const LatentParams& latent = block.hparams.latent;
  const uint32_t n_rot = block.hparams.n_rot;
  const Mat full = block.space.q.mat(q.rows, block.dim(Dim::q_full));
  if (latent.q_rank > 0) {
    block.normalize(q, Slot::attn_q_a_norm, q);
    const MatmulTarget second = block.product(Slot::attn_q_b, Slot::none, full);
    block.stream.matmul(q, {&second, 1});
  }
  block.stream.rope(full, latent.k_dim, n_rot, block.rope_pairs(), pass.cos_sin, latent.k_dim - n_rot);
  if (pass.warmth.buffer != nullptr) block.stream.scale_rows(full, pass.warmth);
  const Mat mixed = block.space.attn.mat(q.rows, block.dim(Dim::attn));
  block.stream.attention(*pass.kv, pass.kv_layer, block.attention_shape(), full, pass.rows, mixed);
  const MatmulTarget out = block.product(Slot::attn_output, Slot::none, block.space.norm.mat(q.rows, x.cols));
  block.stream.matmul(mixed, {&out, 1});
  block.add_to(x, out.out, Block::kAttentionEnd);
}

}  // namespace

const AttentionKind kFullLatentAttention = {key_value, query, store, attend};

}  // namespace quern::model
