// The forward pass: tokens in, keys and values into the cache, logits or states out. One for all architectures: it
// walks the spec.
#pragma once

#include <quern/callbacks.h>

#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/model/adapter_pass.h"
#include "lib/model/blocks/attention.h"
#include "lib/model/kv_map.h"
#include "lib/model/open.h"
#include "lib/model/workspace.h"

namespace quern::model {

/// The tokens of a pass in one cache.
struct KvRows {
  std::span<const uint32_t> slots;              ///< one per token: where its key and value go
  std::span<const compute::AttentionRow> rows;  ///< one per token: what it attends to, itself included
};

/// One pass. The caller has checked tokens and positions and has given every row its place in the caches.
struct DecodeBatch {
  std::span<const int32_t> tokens;
  std::span<const int32_t> positions;  ///< one per token
  KvRows all, window;                  ///< needed where the model has such a cache
  std::span<const uint32_t> outputs;   ///< increasing row numbers whose logits are wanted
  std::span<float> logits;             ///< [outputs, n_vocab]; or empty where `states` are wanted:
  std::span<float> states;             ///< [outputs, n_embd]: what logits would be made of, normalized
  /// The states of recurrent layers, and the rows by sequence; needed where the model has such layers.
  compute::StateStore* recurrent = nullptr;
  std::span<const compute::StateRun> runs{};
  AdapterPass* adapters = nullptr;  ///< begun for these tokens; none where no token has adapters
};

/// Immutable; borrows the model, which must be runnable(). Thread-safe as long as streams, stores and workspaces are
/// not shared.
class Decoder {
 public:
  /// For contexts of n_ctx tokens, on which the rotary embedding may depend.
  Decoder(const LoadedModel& model, uint32_t n_ctx)
      : model_(model),
        kv_map_(make_kv_map(*model.hparams)),
        long_context_(model.ropes.has_long && n_ctx > model.hparams->rope.original_context) {}

  /// Runs at most workspace.n_rows() tokens. Errc::cancelled between layers; what the cache slots of the batch hold is
  /// then undefined.
  Status run(compute::Stream& stream, const KvStores& kv, Workspace& workspace, const DecodeBatch& batch,
             const CancelToken& cancel) const;

  /// Tells models apart whose cached keys cannot be exchanged.
  uint64_t fingerprint() const { return long_context_ ? ~model_.fingerprint : model_.fingerprint; }

  const KvMap& kv_map() const { return kv_map_; }
  /// The cache of that kind; without layers where the model needs none.
  compute::KvShape kv_shape(KvSpan span, compute::KvType type_k, compute::KvType type_v) const {
    return kv_map_.shape(span, model_.weights.quantized(), type_k, type_v);
  }
  /// The states that it needs; no layers where it has no recurrent ones.
  compute::StateShape state_shape() const;

 private:
  /// What the layers of a pass share: for all of its rows, or for those picked.
  struct Inputs {
    compute::Mat cos_sin, cos_sin_local, warmth, heads;
    compute::Mat of_layers;  ///< see blocks/layer_inputs.h; none where there are none
    std::span<const compute::AttentionRow> rows, window_rows;
    std::vector<compute::AttentionRow> picked_rows, picked_window_rows;  ///< their memory, once picked
  };

  Status run_layers(compute::Stream& stream, const KvStores& kv, Workspace& workspace, const DecodeBatch& batch,
                    const CancelToken& cancel) const;
  Status check(const KvStores& kv, const Workspace& workspace, const DecodeBatch& batch) const;
  Inputs upload_inputs(compute::Stream& stream, Workspace& workspace, const DecodeBatch& batch) const;
  static Inputs pick(const Block& block, const Inputs& all, std::span<const uint32_t> rows);
  AttentionPass pass_of(const Inputs& inputs, uint32_t layer, const KvStores& kv, const DecodeBatch& batch) const;
  void embed(const Block& block, const DecodeBatch& batch, compute::Mat x) const;
  void compute_logits(const Block& block, compute::Mat x, std::span<float> out) const;
  void compute_states(const Block& block, compute::Mat x, std::span<float> out) const;

  const LoadedModel& model_;
  KvMap kv_map_;
  bool long_context_;
};

}  // namespace quern::model
