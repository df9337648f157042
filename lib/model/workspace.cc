#include "lib/model/workspace.h"

#include <algorithm>

namespace quern::model {

Result<Workspace> Workspace::create(compute::Backend& backend, const Hparams& hparams, uint32_t n_rows) {
  using arch::Dim;
  constexpr uint32_t kMaxLogitRows = 64;
  constexpr uint64_t kAlignFloats = 16;  // a cache line
  Workspace ws;
  uint64_t end = 0;
  const auto cut = [&](Region& region, uint32_t rows, uint64_t cols) {
    region = {nullptr, end, rows, static_cast<uint32_t>(cols)};
    end += (rows * cols + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
  };
  for (Region* region : {&ws.x, &ws.picked, &ws.norm}) cut(*region, n_rows, hparams.n_embd);
  cut(ws.q, n_rows, hparams.max_dim(Dim::q));
  cut(ws.k, n_rows, hparams.max_dim(Dim::k));
  cut(ws.v, n_rows, hparams.max_dim(Dim::v));
  cut(ws.attn, n_rows, hparams.max_dim(Dim::attn));
  for (Region* region : {&ws.gate, &ws.up}) cut(*region, n_rows, hparams.max_dim(Dim::ff));
  for (Region* region : {&ws.cos_sin, &ws.cos_sin_picked}) cut(*region, n_rows, hparams.n_rot);
  cut(ws.logits, std::min(n_rows, kMaxLogitRows), hparams.n_vocab);

  QUERN_TRY(ws.buffer_, backend.allocate(end));
  for (Region* region : {&ws.x, &ws.picked, &ws.norm, &ws.q, &ws.k, &ws.v, &ws.attn, &ws.gate, &ws.up, &ws.cos_sin,
                         &ws.cos_sin_picked, &ws.logits}) {
    region->buffer = ws.buffer_.get();
  }
  ws.cos_sin_host.resize(uint64_t{n_rows} * hparams.n_rot);
  return ws;
}

}  // namespace quern::model
