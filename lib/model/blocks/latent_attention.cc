// Latent attention, MLA (DeepSeek-AI 2024, arXiv 2405.04434): a token's keys and values of all heads are linear in one
// short vector c, and a head's key has some rotated elements r that all heads share:
//   key_h = (K_h c, r), value_h = V_h c.
// The cache holds (c, r) alone. For q_h * K_h c = (K_h^T q_h) * c, the queries are brought to c's side (K_h^T is what
// the file holds); attention sums up c's, and V_h turns the sum into the head's output. So there is one key-value head,
// whose value is the first part of its key.
#include "lib/model/blocks/attention_kind.h"

namespace quern::model {

using arch::Dim;
using arch::Slot;
using compute::ExpertTarget;
using compute::Mat;
using compute::MatmulTarget;

namespace {

/// Columns [first, first + count) of every head, as a row for each token and head.
Mat of_heads(Mat x, uint32_t head_dim, uint32_t first, uint32_t count) {
  return {x.buffer, x.offset + first, x.rows * (x.cols / head_dim), count, head_dim};
}

/// Every head's rows times its matrix.
void multiply_heads(const Block& block, const AttentionPass& pass, Slot slot, Mat x, Mat out) {
  const ExpertTarget target{block.weights.experts(slot, block.layer), {}, out};
  block.stream.matmul_experts(x, pass.heads.slice(0, x.rows / pass.heads.cols), {&target, 1});
}

AttentionProducts key_value(const Block& block, uint32_t rows) {
  return {{block.product(Slot::attn_kv_a, Slot::none, block.space.k.mat(rows, block.dim(Dim::kv_latent)))}, 1};
}

/// The queries, or what the second step makes them of.
MatmulTarget query(const Block& block, uint32_t rows) {
  if (block.hparams.latent.q_rank == 0)
    return block.product(Slot::attn_q, Slot::none, block.space.full_heads.mat(rows, block.dim(Dim::q_full)));
  return block.product(Slot::attn_q_a, Slot::none, block.space.q_rank.mat(rows, block.dim(Dim::q_rank)));
}

void store(const Block& block, const AttentionPass& pass, const AttentionProducts& key_value) {
  const uint32_t rank = block.hparams.latent.kv_rank, n_rot = block.hparams.n_rot;
  const Mat key = key_value.items[0].out, c = key.columns(0, rank), r = key.columns(rank, n_rot);
  block.normalize(c, Slot::attn_kv_a_norm, c);
  block.stream.rope(r, n_rot, n_rot, block.rope_pairs(), pass.cos_sin);
  block.stream.kv_store(*pass.kv, pass.kv_layer, key, c, pass.slots);
}

void attend(const Block& block, const AttentionPass& pass, Mat q, Mat x) {
  const LatentParams& latent = block.hparams.latent;
  const uint32_t rows = q.rows, n_rot = block.hparams.n_rot, plain = latent.k_dim - n_rot;
  const Mat full = block.space.full_heads.mat(rows, block.dim(Dim::q_full));
  if (latent.q_rank > 0) {
    block.normalize(q, Slot::attn_q_a_norm, q);
    const MatmulTarget second = block.product(Slot::attn_q_b, Slot::none, full);
    block.stream.matmul(q, {&second, 1});
  }
  block.stream.rope(full, latent.k_dim, n_rot, block.rope_pairs(), pass.cos_sin, plain);
  const Mat moved = block.space.q.mat(rows, block.dim(Dim::q));
  const uint32_t k_dim = block.hparams.k_dim;
  multiply_heads(block, pass, Slot::attn_k_b, of_heads(full, latent.k_dim, 0, plain),
                 of_heads(moved, k_dim, 0, latent.kv_rank));
  block.stream.copy(of_heads(full, latent.k_dim, plain, n_rot), of_heads(moved, k_dim, latent.kv_rank, n_rot));
  if (pass.warmth.buffer != nullptr) block.stream.scale_rows(moved, pass.warmth);

  const Mat mixed = block.space.attn.mat(rows, block.dim(Dim::attn));
  block.stream.attention(*pass.kv, pass.kv_layer, block.attention_shape(), moved, pass.rows, mixed);
  const Mat values = block.space.full_heads.mat(rows, block.dim(Dim::attn_full));
  multiply_heads(block, pass, Slot::attn_v_b, of_heads(mixed, latent.kv_rank, 0, latent.kv_rank),
                 of_heads(values, latent.v_dim, 0, latent.v_dim));
  const MatmulTarget out = block.product(Slot::attn_output, Slot::none, block.space.norm.mat(rows, x.cols));
  block.stream.matmul(values, {&out, 1});
  block.add_to(x, out.out, Block::kAttentionEnd);
}

}  // namespace

const AttentionKind kLatentAttention = {key_value, query, store, attend};

}  // namespace quern::model
