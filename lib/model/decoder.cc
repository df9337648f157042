#include "lib/model/decoder.h"

#include <algorithm>
#include <cmath>

#include "lib/model/blocks/block.h"
#include "lib/model/blocks/delta_net.h"
#include "lib/model/blocks/experts.h"
#include "lib/model/blocks/ffn.h"
#include "lib/model/blocks/layer_inputs.h"

namespace quern::model {

using arch::Slot;
using compute::Mat;

namespace {

/// The last layer that stores something for later tokens.
uint32_t last_that_stores(const Hparams& hp) {
  uint32_t last = hp.n_layer - 1;
  while (last > 0 && !hp.layers[last].own_kv) --last;
  return last;
}

}  // namespace

Status Decoder::check(const KvStores& kv, const Workspace& workspace, const DecodeBatch& batch) const {
  const size_t n = batch.tokens.size();
  const auto fits = [&](KvSpan span, const compute::KvStore* store, const KvRows& rows) {
    return kv_map_.layers(span).empty() || (store != nullptr && rows.slots.size() == n && rows.rows.size() == n);
  };
  const bool sizes = n > 0 && n <= workspace.n_rows() && batch.positions.size() == n && batch.outputs.size() <= n &&
                     fits(KvSpan::all, kv.all, batch.all) && fits(KvSpan::window, kv.window, batch.window) &&
                     (model_.hparams->delta.n_heads == 0 || (batch.recurrent != nullptr && !batch.runs.empty())) &&
                     (batch.states.empty() ? batch.logits.size() == batch.outputs.size() * model_.hparams->n_vocab
                                           : batch.states.size() == batch.outputs.size() * model_.hparams->n_embd);
  QUERN_ENSURE(model_.runnable() && sizes, Errc::internal, "decoder: a batch whose parts do not fit together");
  for (size_t i = 0; i < batch.outputs.size(); ++i) {
    const bool increasing = batch.outputs[i] < n && (i == 0 || batch.outputs[i - 1] < batch.outputs[i]);
    QUERN_ENSURE(increasing, Errc::internal, "decoder: output rows out of order");
  }
  return {};
}

Decoder::Inputs Decoder::upload_inputs(compute::Stream& stream, Workspace& workspace, const DecodeBatch& batch) const {
  const Hparams& hp = *model_.hparams;
  const auto n = static_cast<uint32_t>(batch.tokens.size());
  Inputs out;
  out.rows = batch.all.rows;
  out.window_rows = batch.window.rows;
  const auto upload = [&](const RopeTable& table, const Workspace::Region& region) {
    const std::span<float> angles = std::span(workspace.host).first(uint64_t{n} * table.n_rot());
    table.fill(batch.positions, angles);
    const Mat mat = region.mat(n, table.n_rot());
    stream.upload(angles, mat);
    return mat;
  };
  if (hp.n_rot > 0) {
    out.cos_sin = upload(long_context_ ? model_.ropes.long_context : model_.ropes.global, workspace.cos_sin);
  }
  if (model_.ropes.local.n_rot() > 0) out.cos_sin_local = upload(model_.ropes.local, workspace.cos_sin_local);
  if (hp.attention_temperature > 0) {
    const std::span<float> warmth = std::span(workspace.host).first(n);
    for (uint32_t i = 0; i < n; ++i) {
      const double stretch = std::floor(batch.positions[i] / hp.rope.original_context);
      warmth[i] = static_cast<float>(1 + hp.attention_temperature * std::log(1 + stretch));
    }
    out.warmth = workspace.warmth.mat(n, 1);
    stream.upload(warmth, out.warmth);
  }
  if (hp.latent.kv_rank > 0 && !hp.latent.full_cache) {
    const auto n_heads = static_cast<uint32_t>(hp.max_dim(arch::Dim::heads));
    const std::span<float> heads = std::span(workspace.host).first(uint64_t{n} * n_heads);
    for (size_t i = 0; i < heads.size(); ++i) heads[i] = static_cast<float>(i % n_heads);
    out.heads = workspace.heads.mat(n, n_heads);
    stream.upload(heads, out.heads);
  }
  return out;
}

Decoder::Inputs Decoder::pick(const Block& block, const Inputs& all, std::span<const uint32_t> rows) {
  const auto gather = [&](Mat from, const Workspace::Region& region) {
    if (from.buffer == nullptr) return from;
    const Mat out = region.mat(static_cast<uint32_t>(rows.size()), from.cols);
    block.stream.gather_rows(from, rows, out);
    return out;
  };
  const Workspace& space = block.space;
  Inputs out = all;  // the numbers of the heads are the same in every row
  out.cos_sin = gather(all.cos_sin, space.cos_sin_picked);
  out.cos_sin_local = gather(all.cos_sin_local, space.cos_sin_local_picked);
  out.warmth = gather(all.warmth, space.warmth_picked);
  out.of_layers = gather(all.of_layers, space.layer_inputs_picked);
  for (const uint32_t row : rows) {
    if (!all.rows.empty()) out.picked_rows.push_back(all.rows[row]);
    if (!all.window_rows.empty()) out.picked_window_rows.push_back(all.window_rows[row]);
  }
  out.rows = out.picked_rows;
  out.window_rows = out.picked_window_rows;
  return out;
}

AttentionPass Decoder::pass_of(const Inputs& inputs, uint32_t layer, const KvStores& kv,
                               const DecodeBatch& batch) const {
  const KvPlace place = kv_map_.places[layer];
  const bool window = place.span == KvSpan::window;
  AttentionPass pass{window ? kv.window : kv.all,
                     place.layer,
                     window ? batch.window.slots : batch.all.slots,
                     window ? inputs.window_rows : inputs.rows,
                     {},
                     inputs.warmth,
                     inputs.heads};
  const LayerRope rope = model_.hparams->layers[layer].rope;
  if (rope == LayerRope::global) pass.cos_sin = inputs.cos_sin;
  if (rope == LayerRope::local) pass.cos_sin = inputs.cos_sin_local;
  return pass;
}

Status Decoder::run(compute::Stream& stream, const KvStores& kv, Workspace& workspace, const DecodeBatch& batch,
                    const CancelToken& cancel) const {
  QUERN_CHECK(check(kv, workspace, batch));
  stream.set_addition(batch.adapters);
  const Status status = run_layers(stream, kv, workspace, batch, cancel);
  stream.set_addition(nullptr);
  return status;
}

Status Decoder::run_layers(compute::Stream& stream, const KvStores& kv, Workspace& workspace, const DecodeBatch& batch,
                           const CancelToken& cancel) const {
  const Hparams& hp = *model_.hparams;
  const auto n = static_cast<uint32_t>(batch.tokens.size());
  Mat x = workspace.x.mat(n, hp.n_embd);
  Inputs inputs = upload_inputs(stream, workspace, batch);
  const Block ends{stream, *model_.spec, hp, model_.weights, workspace, 0, batch.adapters};
  embed(ends, batch, x);
  if (hp.n_layer_input > 0) inputs.of_layers = layer_inputs(ends, batch.tokens, x);
  const uint32_t last_store = last_that_stores(hp);

  for (uint32_t layer = 0; layer < hp.n_layer; ++layer) {
    if (cancel.cancelled()) {
      QUERN_CHECK(stream.finish());
      return fail(Errc::cancelled, "the computation was cancelled");
    }
    const Block block{stream, *model_.spec, hp, model_.weights, workspace, layer, batch.adapters};
    const AttentionPass pass = pass_of(inputs, layer, kv, batch);
    // Behind the last layer that stores something only the rows whose logits are wanted matter. An observer sees all.
    if (hp.layers[layer].mixer == LayerMixer::delta_net) {
      delta_net(block, {*batch.recurrent, batch.runs}, x);
    } else if (layer == last_store && batch.outputs.size() < n && !stream.observed()) {
      inputs = pick(block, inputs, batch.outputs);
      x = attention_of_picked(block, pass, pass_of(inputs, layer, kv, batch), x, batch.outputs);
      if (x.rows == 0) break;
    } else {
      attention(block, pass, x);
    }
    if (hp.layers[layer].experts) {
      mixture_of_experts(block, x);
    } else {
      feed_forward(block, x);
    }
    if (inputs.of_layers.buffer != nullptr) add_layer_input(block, inputs.of_layers, x);
    if (block.params().output_scale != 1) stream.scale(x, block.params().output_scale);
  }
  if (x.rows > batch.outputs.size()) {
    const Mat picked = workspace.picked.mat(static_cast<uint32_t>(batch.outputs.size()), hp.n_embd);
    stream.gather_rows(x, batch.outputs, picked);
    ends.go_on_with(batch.outputs);
    x = picked;
  }
  if (batch.states.empty()) {
    compute_logits(ends, x, batch.logits);
  } else {
    compute_states(ends, x, batch.states);
  }
  return stream.finish();
}

/// x = what the first layer reads: tokens, and where the model has them their kind and place.
void Decoder::embed(const Block& block, const DecodeBatch& batch, Mat x) const {
  compute::Stream& stream = block.stream;
  const Mat more = block.space.norm.mat(x.rows, x.cols);
  stream.embed(model_.weights.get(Slot::token_embd), batch.tokens, x);
  if (model_.hparams->embedding_scale != 1) stream.scale(x, model_.hparams->embedding_scale);
  if (const compute::Weight* const types = model_.weights.find(Slot::token_types)) {
    stream.embed(*types, std::vector<int32_t>(x.rows, 0), more);
    stream.add(x, more);
  }
  if (const compute::Weight* const places = model_.weights.find(Slot::position_embd)) {
    stream.embed(*places, batch.positions, more);
    stream.add(x, more);
  }
  if (model_.weights.find(Slot::token_norm) != nullptr) block.apply_norm(x, Slot::token_norm, x);
}

void Decoder::compute_states(const Block& block, Mat x, std::span<float> out) const {
  if (model_.weights.find(Slot::output_norm) != nullptr) block.apply_norm(x, Slot::output_norm, x);
  block.stream.download(x, out);
}

void Decoder::compute_logits(const Block& block, Mat x, std::span<float> out) const {
  const Hparams& hp = *model_.hparams;
  compute::Stream& stream = block.stream;
  const Workspace& workspace = block.space;
  for (uint32_t begin = 0; begin < x.rows; begin += workspace.logits.max_rows) {
    const uint32_t n = std::min(x.rows - begin, workspace.logits.max_rows);
    if (block.adapters != nullptr) block.adapters->narrow(begin, n);
    const Mat norm = workspace.norm.mat(n, hp.n_embd), logits = workspace.logits.mat(n, hp.n_vocab);
    block.apply_norm(x.slice(begin, n), Slot::output_norm, norm);
    const compute::MatmulTarget output{model_.weights.find(Slot::output), model_.weights.find(Slot::output_bias),
                                       logits};
    stream.matmul(norm, {&output, 1});
    if (hp.logit_scale != 1) stream.scale(logits, hp.logit_scale);
    if (hp.logit_softcap > 0) stream.softcap(logits, hp.logit_softcap);
    stream.download(logits, out.subspan(uint64_t{begin} * hp.n_vocab, uint64_t{n} * hp.n_vocab));
  }
}

compute::StateShape Decoder::state_shape() const { return model::state_shape(*model_.hparams); }

}  // namespace quern::model
