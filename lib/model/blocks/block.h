// What every block works with: the model, one layer of it, and the pass at hand.
#pragma once

#include <cstdint>
#include <span>

#include "lib/arch/spec.h"
#include "lib/compute/ops.h"
#include "lib/model/hparams.h"
#include "lib/model/weights.h"
#include "lib/model/workspace.h"

namespace quern::model {

struct Block {
  compute::Stream& stream;
  const arch::ArchSpec& spec;
  const Hparams& hparams;
  const Weights& weights;
  const Workspace& space;
  uint32_t layer = 0;

  const LayerParams& params() const { return hparams.layers[layer]; }
  uint64_t dim(arch::Dim dim) const { return hparams.dim(dim, layer); }
  const compute::Weight& weight(arch::Slot slot) const { return weights.get(slot, layer); }
  /// `bias` may be Slot::none.
  compute::MatmulTarget product(arch::Slot weight, arch::Slot bias, compute::Mat out) const {
    return {weights.find(weight, layer), bias == arch::Slot::none ? nullptr : weights.find(bias, layer), out};
  }
  /// out = x where the model has no such norm; out may be x.
  void normalize(compute::Mat x, arch::Slot slot, compute::Mat out) const {
    if (const compute::Weight* const norm = weights.find(slot, layer)) {
      stream.rms_norm(x, *norm, hparams.rms_eps, out);
    } else {
      stream.copy(x, out);
    }
  }
  /// Every head of x on its own, or all at once (as the norm's weight is long), where the model has such a norm.
  void normalize_heads(compute::Mat x, arch::Slot slot) const {
    const compute::Weight* const norm = weights.find(slot, layer);
    if (norm == nullptr) return;
    const uint32_t length = norm->cols();
    const compute::Mat heads{x.buffer, x.offset, x.rows * (x.cols / length), length, length};
    stream.rms_norm(heads, *norm, hparams.rms_eps, heads);
  }
  /// x += what a block has made of it, which is overwritten; first normalized, where the model does so.
  void add_to(compute::Mat x, compute::Mat made, arch::Slot post_norm) const {
    if (const compute::Weight* const norm = weights.find(post_norm, layer))
      stream.rms_norm(made, *norm, hparams.rms_eps, made);
    if (hparams.residual_scale != 1) stream.scale(made, hparams.residual_scale);
    stream.add(x, made);
  }
  compute::RopePairs rope_pairs() const {
    return spec.rope == arch::Rope::halves ? compute::RopePairs::halves : compute::RopePairs::interleaved;
  }
  compute::AttentionShape attention_shape() const {
    compute::AttentionShape shape;
    shape.n_heads = params().n_head;
    shape.n_kv_heads = params().n_head_kv;
    shape.k_dim = hparams.k_dim;
    shape.v_dim = hparams.v_dim;
    shape.scale = hparams.attention_scale;
    shape.softcap = hparams.attention_softcap;
    shape.sinks = weights.find(arch::Slot::attn_sinks, layer);
    return shape;
  }
  compute::Glu glu() const {
    switch (spec.ffn) {
      case arch::Ffn::swiglu:
        return compute::Glu::silu;
      case arch::Ffn::geglu:
        return compute::Glu::gelu;
      case arch::Ffn::clipped_swiglu:
        return compute::Glu::clipped_silu;
    }
    return compute::Glu::silu;
  }
};

}  // namespace quern::model
