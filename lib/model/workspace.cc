#include "lib/model/workspace.h"

#include <algorithm>
#include <vector>

namespace quern::model {

uint64_t Workspace::cut_regions(Workspace& ws, const Hparams& hparams, uint32_t n_rows, bool with_logits,
                                std::vector<Region*>& regions) {
  using arch::Dim;
  constexpr uint32_t kMaxLogitRows = 64;
  constexpr uint64_t kAlignFloats = 16;  // a cache line
  uint64_t end = 0;
  const auto cut = [&](Region& region, uint64_t rows, uint64_t cols) {
    region = {nullptr, end, static_cast<uint32_t>(rows), static_cast<uint32_t>(cols)};
    end += (rows * cols + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
    regions.push_back(&region);
  };
  for (Region* region : {&ws.x, &ws.picked, &ws.norm}) cut(*region, n_rows, hparams.n_embd);
  const bool recurrent = hparams.delta.n_heads > 0;
  const uint64_t q_k_v = recurrent ? hparams.max_dim(Dim::delta_q_k_v) : 0;
  const uint64_t delta_v = recurrent ? std::max(hparams.max_dim(Dim::delta_v), hparams.max_dim(Dim::delta_rates)) : 0;
  cut(ws.q, n_rows, std::max(hparams.max_dim(Dim::q), q_k_v));
  cut(ws.k, n_rows, hparams.max_dim(Dim::k));
  cut(ws.v, n_rows, hparams.max_dim(Dim::v));
  cut(ws.attn, n_rows, std::max(hparams.max_dim(Dim::attn), delta_v));
  if (recurrent) {
    for (Region* region : {&ws.decay, &ws.rate}) cut(*region, n_rows, hparams.delta.n_heads);
  }
  const uint64_t n_heads = hparams.latent.kv_rank > 0 ? hparams.max_dim(Dim::heads) : 0;
  if (n_heads > 0) {
    cut(ws.q_rank, n_rows, hparams.latent.q_rank);
    cut(ws.full_heads, n_rows,
        std::max(n_heads * std::max(hparams.latent.k_dim, hparams.latent.v_dim),
                 hparams.latent.full_cache ? hparams.max_dim(Dim::kv_full) : 0));
    cut(ws.heads, n_rows, n_heads);
    if (hparams.latent.full_cache) cut(ws.latent, n_rows, hparams.max_dim(Dim::kv_latent));
  }
  if (hparams.output_gate) cut(ws.full_heads, n_rows, hparams.max_dim(Dim::attn));
  const ExpertParams& experts = hparams.experts;
  const uint64_t ff = std::max({hparams.max_dim(Dim::ff), uint64_t{experts.n_used} * experts.n_ff,
                                uint64_t{experts.n_ff_shared}, uint64_t{hparams.n_layer_input}});
  cut(ws.gate, n_rows, std::max(ff, delta_v));
  cut(ws.up, n_rows, std::max(ff, q_k_v));
  for (Region* region : {&ws.cos_sin, &ws.cos_sin_picked}) cut(*region, n_rows, hparams.n_rot);
  for (Region* region : {&ws.cos_sin_local, &ws.cos_sin_local_picked}) cut(*region, n_rows, hparams.n_rot_local);
  for (Region* region : {&ws.layer_inputs, &ws.layer_inputs_picked})
    cut(*region, n_rows, hparams.max_dim(Dim::layer_inputs));
  for (Region* region : {&ws.warmth, &ws.warmth_picked}) cut(*region, n_rows, 1);
  if (experts.n > 0) {
    cut(ws.scores, n_rows, experts.n);
    for (Region* region : {&ws.chosen, &ws.chosen_weights}) cut(*region, n_rows, experts.n_used);
    cut(ws.expert_out, uint64_t{n_rows} * experts.n_used, hparams.n_embd);
    cut(ws.shared, n_rows, hparams.n_embd);
    if (experts.n_ff_shared > 0) cut(ws.shared_score, n_rows, 1);
  }
  if (with_logits) cut(ws.logits, std::min(n_rows, kMaxLogitRows), hparams.n_vocab);
  return end;
}

uint64_t Workspace::host_floats(const Hparams& hparams, uint32_t n_rows) {
  const uint64_t n_heads = hparams.latent.kv_rank > 0 ? hparams.max_dim(arch::Dim::heads) : 0;
  return uint64_t{n_rows} * std::max<uint64_t>({hparams.n_rot, hparams.n_rot_local, n_heads, 1});
}

uint64_t Workspace::needed_bytes(const Hparams& hparams, uint32_t n_rows, bool with_logits) {
  Workspace ws;
  std::vector<Region*> regions;
  return (cut_regions(ws, hparams, n_rows, with_logits, regions) + host_floats(hparams, n_rows)) * sizeof(float);
}

Result<Workspace> Workspace::create(compute::Backend& backend, const Hparams& hparams, uint32_t n_rows,
                                    bool with_logits) {
  Workspace ws;
  std::vector<Region*> regions;
  QUERN_TRY(ws.buffer_, backend.allocate(cut_regions(ws, hparams, n_rows, with_logits, regions)));
  for (Region* region : regions) region->buffer = ws.buffer_.get();
  ws.host.resize(host_floats(hparams, n_rows));
  return ws;
}

}  // namespace quern::model
