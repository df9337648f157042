// The forward pass: tokens in, keys and values into the cache, logits out. One for all architectures: it walks the
// spec.
#pragma once

#include <quern/callbacks.h>

#include <cstdint>
#include <span>

#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/model/open.h"
#include "lib/model/workspace.h"

namespace quern::model {

/// One pass. The caller has checked tokens and positions and has given every row its place in the cache.
struct DecodeBatch {
  std::span<const int32_t> tokens;
  std::span<const int32_t> positions;           ///< one per token
  std::span<const uint32_t> slots;              ///< one per token: where its key and value go
  std::span<const compute::AttentionRow> rows;  ///< one per token: what it attends to, itself included
  std::span<const uint32_t> outputs;            ///< increasing row numbers whose logits are wanted
  std::span<float> logits;                      ///< [outputs, n_vocab]
};

/// Stateless; borrows the model, which must be runnable(). Thread-safe as long as streams, stores and workspaces are
/// not shared.
class Decoder {
 public:
  explicit Decoder(const LoadedModel& model) : model_(model) {}

  /// Runs at most workspace.n_rows() tokens. Errc::cancelled between layers; what the cache slots of the batch hold is
  /// then undefined.
  Status run(compute::Stream& stream, compute::KvStore& kv, Workspace& workspace, const DecodeBatch& batch,
             const CancelToken& cancel) const;

  /// The cache that this model needs.
  compute::KvShape kv_shape(compute::KvType type_k, compute::KvType type_v) const;

 private:
  Status check(const Workspace& workspace, const DecodeBatch& batch) const;
  void compute_logits(compute::Stream& stream, const Workspace& workspace, compute::Mat x, std::span<float> out) const;

  const LoadedModel& model_;
};

}  // namespace quern::model
