// Scheduler: many generations on one model at once. Their passes go through the model together (continuous batching),
// and what prompts have in common is computed once.
#pragma once

#include <quern/generate.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace quern {

struct SchedulerOptions {
  uint32_t n_parallel = 4;     ///< Generations that are computed at once; others wait.
  uint32_t max_queued = 256;   ///< As many may wait.
  uint32_t n_ctx_request = 0;  ///< Tokens of one generation, prompt and answer. 0: context.n_ctx / n_parallel.
  /// Finished sequences that are kept for prompts which begin alike, while there is room in the cache. The one that was
  /// not used for the longest time goes first.
  uint32_t n_kept = 32;
  /// n_ctx: cached tokens of all sequences together. 0: the model's training context for each of n_parallel. n_batch:
  /// tokens of one step; a long prompt takes several, and the answers of others go on meanwhile. n_seq_max does not
  /// count.
  ContextOptions context{};
};

/// One generation.
struct Request {
  std::vector<Token> prompt;
  /// `on_token` is called on the thread that calls Scheduler::step(), as is on_end; neither may take long, and the step
  /// goes on when they return. `cancel` takes effect with the next step. `progress` is not called. Without `adapters`
  /// those of the scheduler's context are used; requests with different ones run together.
  GenerateOptions options;
  /// Called exactly once: with what was generated, or with the error that prevented it. Errc::context_full: the prompt
  /// leaves no room for an answer. An answer that was cut off for want of room has StopReason::context_full.
  std::function<void(const Result<Generation>&)> on_end{};
  /// Requests of different scopes share nothing that was computed, so that how long one takes tells nothing about the
  /// prompts of another: a scope for each user, say.
  uint64_t cache_scope = 0;
};

/// What is going on. Counts are since the scheduler was made.
struct SchedulerStats {
  uint32_t n_running = 0, n_queued = 0;
  uint32_t n_kept = 0;             ///< Finished sequences kept.
  uint32_t n_used = 0, n_ctx = 0;  ///< Cached tokens: in use, and in all.
  uint64_t n_finished = 0;         ///< Generations that ended, for whatever reason.
  uint64_t n_prompt_tokens = 0;    ///< Computed; those found in the cache are not among them.
  uint64_t n_cached_tokens = 0;    ///< Found in the cache.
  uint64_t n_generated_tokens = 0;
  uint64_t n_steps = 0;
  double prompt_seconds = 0, generate_seconds = 0;  ///< Of steps with a part of a prompt, and of those without.

  struct Running {
    uint64_t id = 0;  ///< As submit() gave it.
    uint32_t n_prompt = 0, n_prompt_done = 0, n_generated = 0;
  };
  std::vector<Running> running;
};

/// Has no thread of its own: somebody calls step() or run(). The answers are the same as those of generate(), whatever
/// else is running: a row of a batch does not depend on the others.
class Scheduler {
 public:
  static Result<Scheduler> create(const Model& model, const SchedulerOptions& options = {});
  Scheduler(Scheduler&&) noexcept;
  Scheduler& operator=(Scheduler&&) noexcept;
  ~Scheduler();  ///< Ends what is left with Errc::cancelled. Not while step() or run() is in progress.

  /// Any thread. Errc::busy if too many wait already; Errc::argument for options out of range or an empty prompt,
  /// Errc::context_full for a prompt that never fits. On an error on_end is not called. The result is the request's
  /// number.
  Result<uint64_t> submit(Request request);

  /// One pass of the model for everything that runs: a token for each answer, the rest of the batch for prompts. False:
  /// there was nothing to do. One thread at a time.
  Result<bool> step();
  /// Steps while there is work, and waits while there is none, until `stop` is raised or an error of the device.
  Status run(const CancelToken& stop);

  SchedulerStats stats() const;  ///< Any thread; as of the last step.
  const Model& model() const;

 private:
  struct Impl;
  explicit Scheduler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern
