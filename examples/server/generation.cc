#include "examples/server/generation.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

namespace quern::server {
namespace {

/// The answer to one request while its generations run. Owned by their callbacks.
class Answer {
 public:
  Answer(std::shared_ptr<Call> call, std::unique_ptr<Format> format, std::shared_ptr<Lease> lease, bool stream,
         uint32_t n_choices)
      : call_(std::move(call)),
        format_(std::move(format)),
        lease_(std::move(lease)),
        stream_(stream),
        ended_(n_choices) {}

  void step(uint32_t choice, const GeneratedToken& token) {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    if (!first_token_) {
      first_token_ = true;
      const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - call_->began;
      call_->service.metrics.count_first_token(waited.count());
    }
    std::string piece = format_->step(choice, token);
    if (stream_) write(std::move(piece));
  }

  void end(uint32_t choice, const Result<Generation>& result) {
    const std::lock_guard lock(mutex_);
    if (result) call_->service.metrics.count_generation(result->timings);
    if (failed_) return;
    if (!result) return fail_locked(api_error(result.error()));
    std::string piece = format_->end(choice, *result);
    if (stream_) write(std::move(piece));
    ended_[choice] = *result;
    if (std::all_of(ended_.begin(), ended_.end(), [](const auto& g) { return g.has_value(); })) finish();
  }

  void fail(const ApiError& error) {
    const std::lock_guard lock(mutex_);
    fail_locked(error);
  }

 private:
  void begin() {
    if (begun_) return;
    begun_ = true;
    HttpResponse head;
    head.content_type = format_->stream_type();
    head.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
    head.body = format_->first();
    call_->exchange->begin(std::move(head));
  }

  void write(std::string piece) {
    if (piece.empty()) return;
    begin();
    call_->exchange->write(std::move(piece));
  }

  void fail_locked(const ApiError& error) {
    if (failed_) return;
    failed_ = true;
    call_->exchange->gone().cancel();  // of the other choices
    if (!begun_) return call_->fail(error);
    call_->exchange->write(format_->error(error));
    call_->exchange->end();
  }

  void finish() {
    std::vector<Generation> all;
    for (auto& generation : ended_) all.push_back(std::move(*generation));
    if (!stream_) return call_->answer(format_->whole(all));
    write(format_->last(all));
    begin();
    call_->exchange->end();
  }

  std::shared_ptr<Call> call_;
  std::unique_ptr<Format> format_;
  std::shared_ptr<Lease> lease_;
  bool stream_;
  std::mutex mutex_;
  std::vector<std::optional<Generation>> ended_;
  bool begun_ = false, failed_ = false, first_token_ = false;
};

/// Keeps a prompt and its answer within the plan's n_ctx.
void fit(const std::vector<Token>& prompt, uint32_t n_ctx, GenerateOptions& options) {
  if (prompt.size() >= n_ctx)
    throw ApiError(400,
                   "the prompt has " + std::to_string(prompt.size()) + " tokens, and the context has " +
                       std::to_string(n_ctx) + " for it and the answer",
                   {}, "context_length_exceeded");
  const auto room = static_cast<int32_t>(n_ctx - prompt.size());
  if (options.max_tokens < 0 || options.max_tokens > room) options.max_tokens = room;
}

}  // namespace

void generate(const std::shared_ptr<Call>& call, Plan plan, std::unique_ptr<Format> format) {
  const auto n_choices = static_cast<uint32_t>(plan.prompts.size() * plan.n);
  const auto answer = std::make_shared<Answer>(call, std::move(format), plan.lease, plan.stream, n_choices);
  for (uint32_t choice = 0; choice < n_choices; ++choice) {
    Request request;
    request.prompt = plan.prompts[choice / plan.n];
    request.cache_scope = call->key;
    request.options = plan.options;
    request.options.cancel = call->exchange->gone();
    if (plan.n_ctx > 0) fit(request.prompt, plan.n_ctx, request.options);
    if (plan.options.sampler.seed != SamplerOptions{}.seed) request.options.sampler.seed += choice % plan.n;
    request.options.on_token = [answer, choice, gone = call->exchange->gone()](const GeneratedToken& token) {
      answer->step(choice, token);
      return !gone.cancelled();
    };
    request.on_end = [answer, choice](const Result<Generation>& result) { answer->end(choice, result); };
    const auto submitted = (*plan.lease)->submit(std::move(request));
    if (!submitted) return answer->fail(api_error(submitted.error()));
  }
}

}  // namespace quern::server
