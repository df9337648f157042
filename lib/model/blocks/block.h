// What every block works with: the model, one layer of it, and the pass at hand.
#pragma once

#include <cstdint>
#include <span>

#include "lib/arch/spec.h"
#include "lib/compute/ops.h"
#include "lib/model/adapter_pass.h"
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
  AdapterPass* adapters = nullptr;  ///< of the pass; or none

  const LayerParams& params() const { return hparams.layers[layer]; }
  uint64_t dim(arch::Dim dim) const { return hparams.dim(dim, layer); }
  const compute::Weight& weight(arch::Slot slot) const { return weights.get(slot, layer); }
  /// `bias` may be Slot::none.
  compute::MatmulTarget product(arch::Slot weight, arch::Slot bias, compute::Mat out) const {
    return {weights.find(weight, layer), bias == arch::Slot::none ? nullptr : weights.find(bias, layer), out};
  }
  /// out = x where the model has no such norm; out may be x.
  void normalize(compute::Mat x, arch::Slot slot, compute::Mat out) const {
    if (weights.find(slot, layer) != nullptr) {
      apply_norm(x, slot, out);
    } else {
      stream.copy(x, out);
    }
  }
  /// The same for a norm that the model has.
  void apply_norm(compute::Mat x, arch::Slot slot, compute::Mat out) const {
    const compute::Weight& norm = weight(slot);
    if (spec.norm == arch::Norm::layer) {
      const arch::Slot bias = arch::bias_of(slot);
      stream.layer_norm(x, norm, bias == arch::Slot::none ? nullptr : weights.find(bias, layer), hparams.layer_norm_eps,
                        out);
    } else {
      stream.rms_norm(x, norm, hparams.rms_eps, out);
    }
  }
  /// Every head of x on its own, or all at once (as the norm's weight is long), where the model has such a norm.
  void normalize_heads(compute::Mat x, arch::Slot slot) const {
    const compute::Weight* const norm = weights.find(slot, layer);
    if (norm == nullptr) return;
    const uint32_t length = norm->cols();
    const compute::Mat heads{x.buffer, x.offset, x.rows * (x.cols / length), length, length};
    apply_norm(heads, slot, heads);
  }
  /// From here on the products have the rows of these tokens alone.
  void go_on_with(std::span<const uint32_t> picked) const {
    if (adapters != nullptr) adapters->pick(picked);
  }
  /// The norms at the end of a block.
  struct EndNorms {
    arch::Slot post_norm;  ///< of what it has made
    arch::Slot end_norm;   ///< of the sum
  };
  static constexpr EndNorms kAttentionEnd{arch::Slot::attn_post_norm, arch::Slot::attn_end_norm};
  static constexpr EndNorms kFfnEnd{arch::Slot::ffn_post_norm, arch::Slot::ffn_end_norm};
  /// Every `length` elements of x on their own, without a weight.
  void normalize_values(compute::Mat x, uint32_t length) const {
    const compute::Mat heads{x.buffer, x.offset, x.rows * (x.cols / length), length, length};
    stream.rms_norm(heads, hparams.rms_eps, heads);
  }
  /// x += what a block has made of it, which is overwritten, with the norms that the model has.
  void add_to(compute::Mat x, compute::Mat made, const EndNorms& norms) const {
    if (weights.find(norms.post_norm, layer) != nullptr) apply_norm(made, norms.post_norm, made);
    if (hparams.residual_scale != 1) stream.scale(made, hparams.residual_scale);
    stream.add(x, made);
    if (weights.find(norms.end_norm, layer) != nullptr) apply_norm(x, norms.end_norm, x);
  }
  compute::RopePairs rope_pairs() const {
    return spec.rope == arch::Rope::halves ? compute::RopePairs::halves : compute::RopePairs::interleaved;
  }
  compute::AttentionShape attention_shape() const {
    compute::AttentionShape shape;
    shape.n_heads = params().n_head;
    shape.n_kv_heads = params().n_head_kv;
    shape.k_dim = params().k_dim;
    shape.v_dim = params().v_dim;
    shape.scale = hparams.attention_scale;
    shape.softcap = hparams.attention_softcap;
    shape.sinks = weights.find(arch::Slot::attn_sinks, layer);
    return shape;
  }
  compute::Glu glu() const {
    switch (hparams.ffn) {
      case arch::Ffn::swiglu:
        return compute::Glu::silu;
      case arch::Ffn::geglu:
      case arch::Ffn::gelu:
        return compute::Glu::gelu;
      case arch::Ffn::clipped_swiglu:
        return compute::Glu::clipped_silu;
    }
    return compute::Glu::silu;
  }
};

}  // namespace quern::model
