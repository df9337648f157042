// Host: one loaded model with what runs it: a scheduler on a thread of its own, and an embedder.
#pragma once

#include <quern/quern.h>
#include <quern/scheduler.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "examples/server/api/json.h"

namespace quern::server {

/// A model by the name that clients know it by, and what is said with it where a request does not say otherwise.
struct ModelSpec {
  std::string name;
  std::string path;
  std::vector<std::pair<std::string, float>> adapters{};  ///< paths and scales
  std::string chat_template{};                            ///< Jinja; empty: the model's own
  std::string system{};                                   ///< system message
  Input parameters = Input::object();                     ///< defaults of a request, in Ollama's names
  std::vector<ChatMessage> messages{};                    ///< that begin every conversation
  std::string digest{};                                   ///< of the store; empty for a path
  std::string modified_at{};                              ///< RFC 3339
  bool fixed = false;                                     ///< named when the server was started: is not unloaded

  /// The parameter num_ctx; 0 without one.
  uint32_t n_ctx() const;
};

struct HostOptions {
  Runtime runtime;
  ModelOptions model{};           ///< as each is opened
  SchedulerOptions scheduler{};   ///< context.n_ctx 0: n_parallel times n_ctx_request
  uint32_t n_ctx_default = 8192;  ///< tokens of a request, for models trained with at least as many
  Pooling pooling = Pooling::from_model;
};

/// Thread-safe, but for what is said otherwise.
class Host {
 public:
  static Result<std::shared_ptr<Host>> open(const ModelSpec& spec, const HostOptions& options,
                                            const CancelToken& cancel);
  ~Host();
  /// Ends what is running or waiting with Errc::cancelled, and takes nothing more. Not on a thread that reports steps.
  void stop();

  const Model& model() const { return model_; }
  /// Errc::unsupported for a model that only makes embeddings.
  Result<uint64_t> submit(Request request);
  /// Whether the model generates text.
  bool generates() const { return scheduler() != nullptr; }
  Result<std::vector<Token>> chat_tokens(std::span<const ChatMessage> messages, const ChatOptions& options) const;
  Result<std::string> chat_text(std::span<const ChatMessage> messages, const ChatOptions& options) const;
  /// One text's vectors after the other; waits for those of other requests.
  Result<std::vector<Embedding>> embed(std::span<const std::vector<Token>> texts, const CancelToken& cancel);
  /// Tokens of the longest text that embed() takes.
  uint32_t n_embed_tokens();

  SchedulerStats stats() const;
  uint32_t n_ctx_request() const { return n_ctx_request_; }
  uint32_t n_parallel() const { return n_parallel_; }
  double load_seconds() const { return load_seconds_; }
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  Host(ModelSpec spec, Model model) : spec_(std::move(spec)), model_(std::move(model)) {}
  Status start(const HostOptions& options);
  std::shared_ptr<Scheduler> scheduler() const {
    const std::lock_guard lock(scheduler_mutex_);
    return scheduler_;
  }
  Result<Embedder*> embedder();
  void run();

  ModelSpec spec_;
  Model model_;
  std::vector<AdapterUse> adapters_;
  std::optional<Result<ChatTemplate>> template_;
  mutable std::mutex scheduler_mutex_;  ///< of there being a scheduler; its functions lock for themselves
  std::shared_ptr<Scheduler> scheduler_;
  Error no_scheduler_{Errc::cancelled, "the model is being unloaded"};
  CancelToken stop_;
  std::thread thread_;
  std::mutex embed_mutex_;
  std::optional<Embedder> embedder_;
  Pooling pooling_ = Pooling::from_model;
  uint32_t n_ctx_request_ = 0, n_parallel_ = 0;
  uint64_t size_bytes_ = 0;
  double load_seconds_ = 0;
};

}  // namespace quern::server
