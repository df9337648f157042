// Context: sequences of cached tokens over a model, and decoding into them. The inside of the public quern::Context.
#pragma once

#include <quern/callbacks.h>
#include <quern/context.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/context/batch.h"
#include "lib/context/cache.h"
#include "lib/context/sequence.h"
#include "lib/model/adapter.h"
#include "lib/model/adapter_pass.h"
#include "lib/model/decoder.h"
#include "lib/model/open.h"
#include "lib/model/workspace.h"

namespace quern::context {

/// Borrows its model, which must outlive it. Not thread-safe.
class Context {
 public:
  /// Errc::argument for options out of range or a model that was opened for its vocabulary alone.
  static Result<std::unique_ptr<Context>> create(const model::LoadedModel& model, const ContextOptions& options);

  /// What a context of a model takes, by a survey of its file. n_ctx 0 stands for the model's own.
  struct Memory {
    uint32_t n_ctx = 0;
    uint64_t cache_bytes = 0, buffer_bytes = 0;
  };
  static Result<Memory> needed_memory(const model::Survey& survey, const ContextOptions& options);

  /// On any error the sequences are as before.
  Status decode(std::span<const BatchToken> batch, const DecodeOptions& options);

  std::span<const float> logits(size_t i) const { return std::span(*logits_).subspan(i * n_vocab_, n_vocab_); }
  std::shared_ptr<const std::vector<float>> share_logits() const { return logits_; }
  size_t n_logits() const { return n_logits_; }

  /// `sequence` must be in 0 ... n_seq_max - 1.
  const Sequence& sequence(int32_t sequence) const { return sequences_[static_cast<size_t>(sequence)]; }
  uint32_t n_seq_max() const { return static_cast<uint32_t>(sequences_.size()); }

  /// Forgets positions [from, to); to < 0 means the end. Errc::unsupported where the sequence cannot be cut there.
  Status remove(int32_t sequence, int32_t from, int32_t to);
  /// Makes the sequence end at the latest position, `position` or before, that it can be brought to exactly, and
  /// returns that.
  Result<int32_t> rewind(int32_t sequence, int32_t position);
  Status keep(int32_t sequence);
  Status fork(int32_t from, int32_t to);
  void clear();

  /// What the sequence's tokens are computed with from now on, in this order. Errc::argument where it has tokens, or an
  /// adapter is another model's. clear() and its like leave the adapters; fork() copies them.
  Status set_adapters(int32_t sequence, model::AdapterList adapters);
  /// `sequence` must be in 0 ... n_seq_max - 1.
  const model::AdapterList& adapters(int32_t sequence) const { return adapters_[static_cast<size_t>(sequence)]; }

  /// See state.h for the format.
  Result<std::vector<std::byte>> save(int32_t sequence) const;
  Status restore(int32_t sequence, std::span<const std::byte> state);

  /// `observer` sees the inputs of all products, of every token in every layer; nullptr for none. Borrowed.
  void observe(compute::MatmulObserver* observer) { stream_->set_observer(observer); }

  uint32_t n_ctx() const { return n_ctx_; }
  uint32_t n_used() const;  ///< cells in use; those of shared blocks count once
  uint64_t cache_bytes() const { return cache_.size_bytes(); }
  const Cache& cache() const { return cache_; }
  const model::LoadedModel& model() const { return model_; }

 private:
  Context(const model::LoadedModel& model, uint32_t n_ctx) : model_(model), decoder_(model, n_ctx), n_ctx_(n_ctx) {}
  Status check_sequence(int32_t sequence) const;
  Status check_room(size_t n_tokens) const;
  Status compute(std::span<const BatchToken> batch, const DecodeOptions& options);
  Status run_pass(const PlacedBatch& placed, std::span<const compute::StateRun> runs,
                  std::span<const BatchToken> tokens, size_t begin, const CancelToken& cancel);
  /// The adapters of a pass of these tokens; nullptr where there are none.
  model::AdapterPass* begin_adapters(std::span<const BatchToken> tokens);
  /// Of the model and the adapters of a sequence.
  uint64_t fingerprint(int32_t sequence) const;

  const model::LoadedModel& model_;
  model::Decoder decoder_;
  uint32_t n_ctx_ = 0, n_vocab_ = 0;
  std::unique_ptr<compute::Stream> stream_;
  Cache cache_;
  model::Workspace workspace_;
  std::vector<Sequence> sequences_;
  std::vector<model::AdapterList> adapters_;  ///< by sequence
  std::unique_ptr<model::AdapterPass> adapter_pass_;
  std::shared_ptr<std::vector<float>> logits_ = std::make_shared<std::vector<float>>();
  size_t n_logits_ = 0;
};

}  // namespace quern::context
