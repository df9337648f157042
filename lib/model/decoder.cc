#include "lib/model/decoder.h"

#include <algorithm>
#include <vector>

#include "lib/model/blocks/attention.h"
#include "lib/model/blocks/block.h"
#include "lib/model/blocks/ffn.h"

namespace quern::model {

using arch::Slot;
using compute::Mat;

Status Decoder::check(const Workspace& workspace, const DecodeBatch& batch) const {
  const size_t n = batch.tokens.size();
  const bool sizes = n > 0 && n <= workspace.n_rows() && batch.positions.size() == n && batch.slots.size() == n &&
                     batch.rows.size() == n && batch.outputs.size() <= n &&
                     batch.logits.size() == batch.outputs.size() * model_.hparams->n_vocab;
  QUERN_ENSURE(model_.runnable() && sizes, Errc::internal, "decoder: a batch whose parts do not fit together");
  for (size_t i = 0; i < batch.outputs.size(); ++i) {
    const bool increasing = batch.outputs[i] < n && (i == 0 || batch.outputs[i - 1] < batch.outputs[i]);
    QUERN_ENSURE(increasing, Errc::internal, "decoder: output rows out of order");
  }
  return {};
}

Status Decoder::run(compute::Stream& stream, compute::KvStore& kv, Workspace& workspace, const DecodeBatch& batch,
                    const CancelToken& cancel) const {
  QUERN_CHECK(check(workspace, batch));
  const Hparams& hp = *model_.hparams;
  const auto n = static_cast<uint32_t>(batch.tokens.size());
  Mat x = workspace.x.mat(n, hp.n_embd);
  const Mat cos_sin = workspace.cos_sin.mat(n, hp.n_rot);
  const std::span<float> angles = std::span(workspace.cos_sin_host).first(uint64_t{n} * hp.n_rot);
  model_.rope.fill(batch.positions, angles);
  stream.upload(angles, cos_sin);
  stream.embed(model_.weights.get(Slot::token_embd), batch.tokens, x);

  std::vector<compute::AttentionRow> picked_rows;
  for (const uint32_t row : batch.outputs) picked_rows.push_back(batch.rows[row]);

  for (uint32_t layer = 0; layer < hp.n_layer; ++layer) {
    if (cancel.cancelled()) {
      QUERN_CHECK(stream.finish());
      return fail(Errc::cancelled, "the computation was cancelled");
    }
    const Block block{stream, *model_.spec, hp, model_.weights, workspace, layer};
    AttentionPass pass{kv, batch.slots, batch.rows, cos_sin};
    // Nothing reads the last layer's output but the rows whose logits are wanted. An observer sees all rows.
    if (layer + 1 == hp.n_layer && batch.outputs.size() < n && !stream.observed()) {
      pass.rows = picked_rows;
      x = attention_of_picked(block, pass, x, batch.outputs);
      if (x.rows == 0) break;
    } else {
      attention(block, pass, x);
    }
    feed_forward(block, x);
  }
  if (x.rows > batch.outputs.size()) {
    const Mat picked = workspace.picked.mat(static_cast<uint32_t>(batch.outputs.size()), hp.n_embd);
    stream.gather_rows(x, batch.outputs, picked);
    x = picked;
  }
  compute_logits(stream, workspace, x, batch.logits);
  return stream.finish();
}

void Decoder::compute_logits(compute::Stream& stream, const Workspace& workspace, Mat x, std::span<float> out) const {
  const Hparams& hp = *model_.hparams;
  for (uint32_t begin = 0; begin < x.rows; begin += workspace.logits.max_rows) {
    const uint32_t n = std::min(x.rows - begin, workspace.logits.max_rows);
    const Mat norm = workspace.norm.mat(n, hp.n_embd), logits = workspace.logits.mat(n, hp.n_vocab);
    stream.rms_norm(x.slice(begin, n), model_.weights.get(Slot::output_norm), hp.rms_eps, norm);
    stream.matmul(norm, model_.weights.get(Slot::output), logits);
    stream.download(logits, out.subspan(uint64_t{begin} * hp.n_vocab, uint64_t{n} * hp.n_vocab));
  }
}

compute::KvShape Decoder::kv_shape(compute::KvType type_k, compute::KvType type_v) const {
  compute::KvShape shape;
  shape.type_k = type_k;
  shape.type_v = type_v;
  shape.rounded = model_.weights.quantized();
  for (const LayerParams& layer : model_.hparams->layers) {
    shape.layers.push_back({layer.n_head_kv, model_.hparams->k_dim, model_.hparams->v_dim});
  }
  return shape;
}

}  // namespace quern::model
