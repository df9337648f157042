// The loop of decode, sample and detokenize.
#include <quern/generate.h>

#include <algorithm>
#include <chrono>

#include "lib/engine/api/impl.h"
#include "lib/engine/stop_matcher.h"
#include "lib/text/utf8_stream.h"

namespace quern {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Tokens that sequence 0 and the prompt begin with, the last token of the prompt left out: its logits are wanted.
size_t common_prefix(const Context& context, std::span<const Token> prompt) {
  const auto cached = context.sequence_tokens(0);
  // With positions removed from the middle, the cache is not that of a text.
  if (context.next_position(0) != static_cast<int32_t>(cached.size())) return 0;
  const size_t limit = std::min(cached.size(), prompt.size() - 1);
  size_t n = 0;
  while (n < limit && cached[n] == prompt[n]) ++n;
  return n;
}

/// Whether sequences go back to checkpoints alone, and not to the positions between them.
bool recurrent(const Model& model) { return model.impl().loaded->hparams->delta.n_heads > 0; }

/// The text of a generation: pieces joined to characters, stop texts taken out.
class Output {
 public:
  Output(const Tokenizer& tokenizer, const GenerateOptions& options, Generation& out)
      : tokenizer_(tokenizer), options_(options), matcher_(options.stop), out_(out) {}

  /// False ends the generation.
  bool add(Token token) {
    starts_.push_back(streamed_);
    out_.tokens.push_back(token);
    const std::string text = characters_.push(tokenizer_.piece(token));
    streamed_ += text.size();
    const std::string certain = matcher_.push(text);
    out_.text += certain;
    const bool go_on = tell(token, certain);
    if (matcher_.matched()) {
      out_.stop_reason = StopReason::stop_text;
      return false;
    }
    if (!go_on) out_.stop_reason = StopReason::cancelled;
    return go_on;
  }

  void finish() {
    if (!matcher_.matched()) {
      std::string rest = matcher_.push(characters_.finish());
      rest += matcher_.finish();
      out_.text += rest;
      if (!rest.empty()) tell(-1, rest);
    }
    if (!matcher_.matched()) return;
    // Tokens that begin in the stop text or behind it are not part of the output.
    while (!out_.tokens.empty() && starts_[out_.tokens.size() - 1] >= out_.text.size()) out_.tokens.pop_back();
    out_.stop_reason = StopReason::stop_text;
  }

 private:
  bool tell(Token token, std::string_view text) const { return !options_.on_token || options_.on_token({token, text}); }

  const Tokenizer& tokenizer_;
  const GenerateOptions& options_;
  engine::StopMatcher matcher_;
  Generation& out_;
  text::Utf8Stream characters_;
  std::vector<size_t> starts_;  ///< bytes of text that preceded each token
  size_t streamed_ = 0;
};

/// Computes the prompt. False: cancelled.
Result<bool> prefill(Context& context, std::span<const Token> prompt, const GenerateOptions& options,
                     GenerateTimings& timings) {
  const auto start = Clock::now();
  // One that cannot fit leaves the cache as it was.
  QUERN_ENSURE(prompt.size() <= context.n_ctx(), Errc::context_full, "the prompt has ", prompt.size(),
               " tokens, the context holds ", context.n_ctx());
  // Positions are those of the text, or the prefix is empty. The cache may have to go back farther.
  QUERN_TRY(const auto n_cached, context.sequence_rewind(0, static_cast<int32_t>(common_prefix(context, prompt))));
  DecodeOptions decode;
  decode.cancel = options.cancel;
  if (options.progress) decode.progress = options.progress;
  std::span<const Token> rest = prompt.subspan(static_cast<size_t>(n_cached));
  Status status;
  if (rest.size() > 1 && recurrent(context.model())) {
    // A call ends with a checkpoint. This one serves those who come with the same prompt again: its last token is
    // computed anew each time, for its logits.
    status = context.append(rest.first(rest.size() - 1), 0, false, decode);
    rest = rest.last(1);
  }
  if (status) status = context.append(rest, 0, false, decode);
  timings.prompt_seconds = seconds_since(start);
  timings.n_cached = static_cast<uint32_t>(n_cached);
  if (!status && status.error().code == Errc::cancelled) return false;
  QUERN_CHECK(status);
  timings.n_prompt = static_cast<uint32_t>(prompt.size() - static_cast<size_t>(n_cached));
  return true;
}

Status run(Context& context, Sampler& sampler, const GenerateOptions& options, Output& output, Generation& out) {
  const Tokenizer& tokenizer = context.model().tokenizer();
  DecodeOptions decode;
  decode.cancel = options.cancel;
  const auto full = [&] {
    return options.max_tokens >= 0 && out.tokens.size() >= static_cast<size_t>(options.max_tokens);
  };
  const auto end = [&out](StopReason reason) {
    out.stop_reason = reason;
    return Status();
  };
  while (!full()) {
    if (options.cancel.cancelled()) return end(StopReason::cancelled);
    const Token token = sampler.sample(context.last_logits());
    QUERN_ENSURE(token >= 0, Errc::internal, "no token could be chosen");
    if (tokenizer.is_end(token)) return end(StopReason::end_of_generation);
    sampler.accept(token);
    if (!output.add(token)) return {};  // which has set the reason
    if (full()) break;
    const Status status = context.append({&token, 1}, 0, false, decode);
    if (status) continue;
    if (status.error().code == Errc::context_full) return end(StopReason::context_full);
    if (status.error().code == Errc::cancelled) return end(StopReason::cancelled);
    return status;
  }
  return end(StopReason::length);
}

Result<Generation> generate_guarded(Context& context, std::span<const Token> prompt, const GenerateOptions& options) {
  QUERN_ENSURE(!prompt.empty(), Errc::argument, "the prompt has no tokens");
  QUERN_TRY(auto sampler, Sampler::create(context.model(), options.sampler));
  Generation out;
  QUERN_TRY(const bool ready, prefill(context, prompt, options, out.timings));
  if (!ready) {
    out.stop_reason = StopReason::cancelled;
    return out;
  }
  for (const Token token : prompt) sampler.accept(token);
  const auto start = Clock::now();
  Output output(context.model().tokenizer(), options, out);
  const Status status = run(context, sampler, options, output, out);
  out.timings.generate_seconds = seconds_since(start);
  out.timings.n_generated = static_cast<uint32_t>(out.tokens.size());
  QUERN_CHECK(status);
  output.finish();
  return out;
}

}  // namespace

Result<Generation> generate(Context& context, std::span<const Token> prompt, const GenerateOptions& options) {
  return engine::guarded([&] { return generate_guarded(context, prompt, options); });
}

}  // namespace quern
