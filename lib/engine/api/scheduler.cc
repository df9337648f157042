// Scheduler: continuous batching.
#include <quern/scheduler.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "lib/engine/api/impl.h"
#include "lib/engine/sequence_pool.h"
#include "lib/engine/writer.h"

namespace quern {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double>(end - start).count();
}

/// A request in work.
struct Task {
  uint64_t id = 0;
  Request request;
  std::optional<engine::Writer> writer;  ///< from submission on: it checks the options
  std::vector<AdapterUse> adapters;
  int32_t sequence = -1;  ///< while it runs
  uint32_t n_done = 0;    ///< prompt tokens that are in the sequence
  Token next = 0;         ///< to be read next, once the prompt is done
  GenerateTimings timings;
  Clock::time_point began, answered;  ///< when it began to run; when its first token was chosen

  size_t n_prompt() const { return request.prompt.size(); }
  bool reads_prompt() const { return n_done < n_prompt(); }
  size_t n_tokens() const { return n_prompt() + writer->n_tokens(); }
};

/// What of a task is in a step.
struct Share {
  Task* task = nullptr;
  uint32_t n_tokens = 0;
  bool logits = false;
};

}  // namespace

struct Scheduler::Impl {
  Impl(Model m, Context c, const SchedulerOptions& o)
      : model(std::move(m)), context(std::move(c)), options(o), pool(context, o.n_parallel, o.n_kept) {
    recurrent = model.impl().loaded->hparams->delta.n_heads > 0;
  }

  Result<uint64_t> submit(Request request);
  Result<bool> step();
  Status run(const CancelToken& stop);

  void admit();
  bool worth_waiting(const Task& task) const;
  bool start(Task& task);
  uint64_t reserved_tokens(const Task& task) const;
  void plan();
  Status decode();
  void advance();
  void end(Task& task);
  void fail(Task& task, Error error);
  void sweep();
  void tell_ended();
  void fail_all(const Error& error);
  void count(const Clock::time_point& started);

  Model model;
  Context context;
  SchedulerOptions options;
  engine::SequencePool pool;
  bool recurrent = false;

  // Of the thread that steps.
  std::vector<std::unique_ptr<Task>> running;
  std::vector<std::pair<std::unique_ptr<Task>, Result<Generation>>> ended;  ///< whose callers are yet to be told
  std::vector<Share> shares;
  std::vector<BatchToken> batch;

  mutable std::mutex mutex;  ///< of what follows
  std::condition_variable submitted;
  std::deque<std::unique_ptr<Task>> queue;
  SchedulerStats stats;
  uint64_t last_id = 0;
};

Result<uint64_t> Scheduler::Impl::submit(Request request) {
  QUERN_ENSURE(!request.prompt.empty(), Errc::argument, "the prompt has no tokens");
  QUERN_ENSURE(request.prompt.size() < options.n_ctx_request, Errc::context_full, "the prompt has ",
               request.prompt.size(), " tokens, and a request has room for ", options.n_ctx_request,
               " with its answer: shorten it, or give the server a larger context");
  const auto n_vocab = static_cast<Token>(model.info().n_vocab);
  for (const Token token : request.prompt)
    QUERN_ENSURE(token >= 0 && token < n_vocab, Errc::argument, "the prompt has token ", token,
                 ", which is not one of the ", n_vocab, " of the vocabulary");
  auto task = std::make_unique<Task>();
  task->request = std::move(request);
  QUERN_TRY(task->writer, engine::Writer::create(model, task->request.prompt, task->request.options));
  task->adapters = task->request.options.adapters.value_or(options.context.adapters);
  QUERN_CHECK(model::check_adapters(engine::inner_adapters(task->adapters), *model.impl().loaded));
  const std::lock_guard lock(mutex);
  QUERN_ENSURE(queue.size() < options.max_queued, Errc::busy, queue.size(), " requests are waiting already");
  task->id = ++last_id;
  const uint64_t id = task->id;
  queue.push_back(std::move(task));
  stats.n_queued = static_cast<uint32_t>(queue.size());
  submitted.notify_one();
  return id;
}

uint64_t Scheduler::Impl::reserved_tokens(const Task& task) const {
  constexpr uint64_t kBlock = 32;  // the cache takes memory in blocks of so many
  const int32_t asked = task.request.options.max_tokens;
  const uint64_t wanted = task.n_prompt() + (asked >= 0 ? static_cast<uint64_t>(asked) : uint64_t{UINT32_MAX});
  return (std::min<uint64_t>(wanted, options.n_ctx_request) + kBlock - 1) / kBlock * kBlock;
}

/// Whether another task is reading what this one begins with, more of it than any sequence holds yet.
bool Scheduler::Impl::worth_waiting(const Task& task) const {
  const std::span<const Token> prompt = task.request.prompt;
  uint32_t coming = 0;
  for (const auto& other : running) {
    const bool alike = other->adapters == task.adapters && other->request.cache_scope == task.request.cache_scope;
    if (other->reads_prompt() && alike)
      coming = std::max(coming, engine::common_prefix(prompt.first(prompt.size() - 1), other->request.prompt));
  }
  constexpr uint32_t kWorthwhile = 16;
  return coming > 0 && coming >= pool.longest_prefix(prompt, task.adapters, task.request.cache_scope) + kWorthwhile;
}

/// Gives waiting tasks sequences, first come first served.
void Scheduler::Impl::admit() {
  uint64_t reserved = 0;
  for (const auto& task : running) reserved += reserved_tokens(*task);
  const std::lock_guard lock(mutex);
  for (auto it = queue.begin(); it != queue.end();) {
    Task& task = **it;
    const bool cancelled = task.request.options.cancel.cancelled();
    if (!cancelled) {
      const uint64_t needed = reserved_tokens(task);
      // None overtakes one that waits for room, or it might wait for ever.
      if (running.size() == options.n_parallel || (!running.empty() && reserved + needed > context.n_ctx())) break;
      if (worth_waiting(task)) {
        ++it;
        continue;
      }
      reserved += needed;
    }
    running.push_back(std::move(*it));
    it = queue.erase(it);
    if (cancelled || !start(task)) end(task);
    sweep();  // what has ended already must not be looked at as running
  }
  stats.n_queued = static_cast<uint32_t>(queue.size());
}

/// False: it ends at once.
bool Scheduler::Impl::start(Task& task) {
  task.began = task.answered = Clock::now();
  const auto begun = pool.begin(task.request.prompt, task.adapters, task.request.cache_scope);
  if (!begun) {
    fail(task, begun.error());
    return true;
  }
  task.sequence = begun->sequence;
  task.n_done = task.timings.n_cached = begun->n_cached;
  return true;
}

/// What the next pass computes: a token for each answer, then prompts, in the order in which they came.
void Scheduler::Impl::plan() {
  shares.clear();
  batch.clear();
  const auto add = [this](Task& task, std::span<const Token> tokens, bool logits) {
    int32_t position = context.next_position(task.sequence);
    for (size_t i = 0; i < tokens.size(); ++i)
      batch.push_back({tokens[i], position++, task.sequence, logits && i + 1 == tokens.size()});
    shares.push_back({&task, static_cast<uint32_t>(tokens.size()), logits});
  };
  for (const auto& task : running) {
    if (!task->reads_prompt()) add(*task, {&task->next, 1}, true);
  }
  for (const auto& task : running) {
    const size_t room = options.context.n_batch - std::min<size_t>(options.context.n_batch, batch.size());
    if (!task->reads_prompt() || room == 0) continue;
    const auto rest = std::span<const Token>(task->request.prompt).subspan(task->n_done);
    // A pass ends with a checkpoint; where a model can go back to checkpoints alone, one before the last token serves
    // those who come with the same prompt.
    const size_t wanted = recurrent && rest.size() > 1 ? rest.size() - 1 : rest.size();
    const size_t n = std::min(wanted, room);
    add(*task, rest.first(n), n == rest.size());
  }
}

Status Scheduler::Impl::decode() {
  while (true) {
    plan();
    if (batch.empty()) return {};
    const Status status = context.decode(batch);
    if (status || status.error().code != Errc::context_full) return status;
    // Reservations keep running tasks within the cache; what is in the way is kept sequences.
    if (pool.evict()) continue;
    fail(*running.back(), status.error());
    sweep();
  }
}

/// Takes the logits of a pass.
void Scheduler::Impl::advance() {
  size_t row = 0;
  for (const Share& share : shares) {
    Task& task = *share.task;
    if (task.reads_prompt()) {
      task.n_done += share.n_tokens;
      task.timings.n_prompt += share.n_tokens;
    }
    if (!share.logits) continue;
    const auto token = task.writer->next(context.logits(row++));
    if (task.writer->n_tokens() <= 1) task.answered = Clock::now();
    if (!token) {
      fail(task, token.error());
    } else if (!*token) {
      end(task);
    } else if (task.n_tokens() > options.n_ctx_request) {
      task.writer->stop(StopReason::context_full);
      end(task);
    } else {
      task.next = **token;
    }
  }
}

/// Ends a running task with what it has; sweep() takes it out.
void Scheduler::Impl::end(Task& task) {
  const auto own = std::find_if(running.begin(), running.end(), [&](const auto& t) { return t.get() == &task; });
  const auto now = Clock::now();
  if (task.request.options.cancel.cancelled()) task.writer->stop(StopReason::cancelled);
  task.timings.n_generated = static_cast<uint32_t>(task.writer->n_tokens());
  if (task.sequence >= 0) {
    task.timings.prompt_seconds = seconds_between(task.began, task.answered);
    task.timings.generate_seconds = seconds_between(task.answered, now);
    pool.end(task.sequence);
  }
  Generation out = task.writer->finish();
  out.timings = task.timings;
  ended.emplace_back(std::move(*own), std::move(out));
}

void Scheduler::Impl::fail(Task& task, Error error) {
  const auto own = std::find_if(running.begin(), running.end(), [&](const auto& t) { return t.get() == &task; });
  if (task.sequence >= 0) pool.drop(task.sequence);
  ended.emplace_back(std::move(*own), Result<Generation>(std::move(error)));
}

/// Takes the tasks that have ended out of those that run.
void Scheduler::Impl::sweep() {
  std::erase_if(running, [](const auto& task) { return task == nullptr; });
}

void Scheduler::Impl::tell_ended() {
  for (auto& [task, result] : std::exchange(ended, {})) {
    {
      const std::lock_guard lock(mutex);
      ++stats.n_finished;
      stats.n_prompt_tokens += task->timings.n_prompt;
      stats.n_cached_tokens += task->timings.n_cached;
      stats.n_generated_tokens += task->timings.n_generated;
    }
    if (task->request.on_end) task->request.on_end(result);
  }
}

void Scheduler::Impl::count(const Clock::time_point& started) {
  const bool prompt = std::any_of(shares.begin(), shares.end(), [](const Share& s) { return s.n_tokens > 1; });
  const std::lock_guard lock(mutex);
  ++stats.n_steps;
  (prompt ? stats.prompt_seconds : stats.generate_seconds) += seconds_between(started, Clock::now());
}

Result<bool> Scheduler::Impl::step() {
  const auto started = Clock::now();
  for (const auto& task : running) {
    if (task->request.options.cancel.cancelled()) end(*task);  // which leaves its place empty
  }
  sweep();
  admit();
  const Status status = decode();
  if (!status) {
    fail_all(status.error());
    return status.error();
  }
  const bool worked = !batch.empty();
  if (worked) {
    advance();
    sweep();
    count(started);
  }
  const bool told = !ended.empty();
  tell_ended();
  const std::lock_guard lock(mutex);
  stats.n_running = static_cast<uint32_t>(running.size());
  stats.n_kept = pool.n_kept();
  stats.n_used = context.n_used();
  stats.n_ctx = context.n_ctx();
  stats.running.clear();
  for (const auto& task : running) {
    stats.running.push_back({task->id, static_cast<uint32_t>(task->n_prompt()), task->n_done,
                             static_cast<uint32_t>(task->writer->n_tokens())});
  }
  return worked || told;
}

void Scheduler::Impl::fail_all(const Error& error) {
  for (size_t i = 0; i < running.size(); ++i) {
    if (running[i] != nullptr) fail(*running[i], error);
  }
  sweep();
  tell_ended();
}

Status Scheduler::Impl::run(const CancelToken& stop) {
  while (!stop.cancelled()) {
    QUERN_TRY(const bool worked, step());
    if (worked) continue;
    constexpr auto kPatience = std::chrono::milliseconds(100);  // until `stop` is looked at again
    std::unique_lock lock(mutex);
    submitted.wait_for(lock, kPatience, [this] { return !queue.empty(); });
  }
  return {};
}

Result<Scheduler> Scheduler::create(const Model& model, const SchedulerOptions& asked) {
  return engine::guarded([&]() -> Result<Scheduler> {
    SchedulerOptions options = asked;
    constexpr uint32_t kMost = 4096;
    QUERN_ENSURE(options.n_parallel > 0 && options.n_parallel <= kMost, Errc::argument, "n_parallel: expected 1 to ",
                 kMost, ", found ", options.n_parallel);
    QUERN_ENSURE(options.n_kept <= kMost, Errc::argument, "n_kept: expected at most ", kMost, ", found ",
                 options.n_kept);
    QUERN_ENSURE(options.context.n_batch >= options.n_parallel, Errc::argument, "n_batch is ", options.context.n_batch,
                 ", expected at least n_parallel, which is ", options.n_parallel);
    if (options.context.n_ctx == 0) {
      const uint64_t all = uint64_t{model.info().n_ctx_train} * options.n_parallel;
      options.context.n_ctx = static_cast<uint32_t>(std::min<uint64_t>(all, INT32_MAX));
    }
    options.context.n_seq_max = engine::SequencePool::n_sequences(options.n_parallel, options.n_kept);
    const uint32_t n_ctx = options.context.n_ctx;
    if (options.n_ctx_request == 0) options.n_ctx_request = n_ctx / options.n_parallel;
    QUERN_ENSURE(options.n_ctx_request > 1 && options.n_ctx_request <= n_ctx, Errc::argument,
                 "n_ctx_request: expected 2 to ", n_ctx, ", the context's size, found ", options.n_ctx_request);
    QUERN_TRY(auto context, Context::create(model, options.context));
    return Scheduler(std::make_unique<Impl>(model, std::move(context), options));
  });
}

Scheduler::Scheduler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Scheduler::Scheduler(Scheduler&&) noexcept = default;
Scheduler& Scheduler::operator=(Scheduler&&) noexcept = default;
Scheduler::~Scheduler() {
  if (impl_ == nullptr) return;
  {
    const std::lock_guard lock(impl_->mutex);
    for (auto& task : impl_->queue) impl_->running.push_back(std::move(task));
    impl_->queue.clear();
  }
  impl_->fail_all({Errc::cancelled, "the scheduler is gone"});
}

Result<uint64_t> Scheduler::submit(Request request) {
  return engine::guarded([&] { return impl_->submit(std::move(request)); });
}
Result<bool> Scheduler::step() {
  return engine::guarded([&] { return impl_->step(); });
}
Status Scheduler::run(const CancelToken& stop) {
  return engine::guarded([&] { return impl_->run(stop); });
}
SchedulerStats Scheduler::stats() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->stats;
}
const Model& Scheduler::model() const { return impl_->model; }

}  // namespace quern
