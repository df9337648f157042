// The loop of decode, sample and detokenize.
#include <quern/generate.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "lib/engine/api/impl.h"
#include "lib/engine/writer.h"

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

/// Tokens one after the other, until the writer has enough or the context does not take more.
Status run(Context& context, const CancelToken& cancel, engine::Writer& writer) {
  DecodeOptions decode;
  decode.cancel = cancel;
  while (true) {
    QUERN_TRY(const std::optional<Token> token, writer.next(context.last_logits()));
    if (!token) return {};
    const Status status = context.append({&*token, 1}, 0, false, decode);
    if (status) continue;
    if (status.error().code == Errc::context_full) {
      writer.stop(StopReason::context_full);
    } else if (status.error().code == Errc::cancelled) {
      writer.stop(StopReason::cancelled);
    } else {
      return status;
    }
    return {};
  }
}

Status take_adapters(Context& context, const std::vector<AdapterUse>& adapters) {
  const auto present = context.adapters(0);
  if (std::equal(present.begin(), present.end(), adapters.begin(), adapters.end())) return {};
  QUERN_CHECK(context.sequence_remove(0, 0));
  return context.set_adapters(0, adapters);
}

Result<Generation> generate_guarded(Context& context, std::span<const Token> prompt, const GenerateOptions& options) {
  QUERN_ENSURE(!prompt.empty(), Errc::argument, "the prompt has no tokens");
  QUERN_TRY(auto writer, engine::Writer::create(context.model(), prompt, options));
  if (options.adapters) QUERN_CHECK(take_adapters(context, *options.adapters));
  GenerateTimings timings;
  QUERN_TRY(const bool ready, prefill(context, prompt, options, timings));
  const auto start = Clock::now();
  if (ready) {
    QUERN_CHECK(run(context, options.cancel, writer));
  } else {
    writer.stop(StopReason::cancelled);
  }
  timings.generate_seconds = seconds_since(start);
  timings.n_generated = static_cast<uint32_t>(writer.n_tokens());
  Generation out = writer.finish();
  out.timings = timings;
  return out;
}

}  // namespace

Result<Generation> generate(Context& context, std::span<const Token> prompt, const GenerateOptions& options) {
  return engine::guarded([&] { return generate_guarded(context, prompt, options); });
}

}  // namespace quern
