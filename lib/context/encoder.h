// Encoder: whole texts to vectors. The inside of the public quern::Embedder.
//
// Each text goes through the model in one pass, so that its tokens can see each other both ways where the model wants
// it; texts share a pass while they fit. The key-value store is scratch: nothing outlives a pass.
#pragma once

#include <quern/embed.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/model/adapter.h"
#include "lib/model/adapter_pass.h"
#include "lib/model/decoder.h"
#include "lib/model/open.h"
#include "lib/model/workspace.h"

namespace quern::context {

/// Borrows its model, which must outlive it. Not thread-safe.
class Encoder {
 public:
  /// n_batch: of a pass; 0: the model's training context. Errc::unsupported for Pooling::rank.
  static Result<std::unique_ptr<Encoder>> create(const model::LoadedModel& model, Pooling pooling, uint32_t n_batch);

  /// What the texts are computed with from now on. Errc::argument for an adapter of another model.
  Status set_adapters(model::AdapterList adapters);

  /// For each text its vectors [.., n_embd()], one behind the other.
  Result<std::vector<std::vector<float>>> encode(std::span<const std::vector<int32_t>> texts,
                                                 const EmbedOptions& options);

  Pooling pooling() const { return pooling_; }
  uint32_t n_embd() const { return n_out_; }
  uint32_t n_batch() const { return n_batch_; }

 private:
  struct Pass;
  Encoder(const model::LoadedModel& model, uint32_t n_batch)
      : model_(model), decoder_(model, n_batch), n_batch_(n_batch) {}
  Status prepare_projections();
  Status check(std::span<const std::vector<int32_t>> texts) const;
  Status make_room(const Pass& pass);
  Status run(std::span<const std::vector<int32_t>> texts, const CancelToken& cancel, std::span<std::vector<float>> out);
  Status project(std::vector<float>& vectors);

  const model::LoadedModel& model_;
  model::Decoder decoder_;
  Pooling pooling_ = Pooling::none;
  uint32_t n_batch_ = 0, n_out_ = 0;
  std::unique_ptr<compute::Stream> stream_;
  std::unique_ptr<compute::KvStore> kv_, window_kv_;  ///< a pass's; missing where no layer needs it
  std::unique_ptr<compute::StateStore> recurrent_;    ///< one slot; missing where no layer is recurrent
  model::Workspace workspace_;                        ///< for the longest pass so far
  std::vector<const compute::Weight*> projections_;   ///< of the pooled vectors, one after the other
  std::vector<float> states_;
  model::AdapterList adapters_;
  std::unique_ptr<model::AdapterPass> adapter_pass_;
};

}  // namespace quern::context
