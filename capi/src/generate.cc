// Generation and its result.
#include <algorithm>
#include <cstdint>

#include "capi/src/door.h"

using namespace quern::capi;

namespace quern::capi {
namespace {

static_assert(sizeof(quern_token_logprob) == sizeof(TokenLogprob) &&
              offsetof(quern_token_logprob, logprob) == offsetof(TokenLogprob, logprob));

/// The caller's functions for a step.
struct Steps {
  quern_token_fn on_token;
  void* on_token_user;
  quern_step_fn on_step;
  void* on_step_user;

  bool operator()(const GeneratedToken& step) const {
    bool go_on = true;
    if (on_token) go_on = on_token(on_token_user, step.token, step.text.data(), step.text.size()) == 0;
    if (!on_step) return go_on;
    const quern_step told{sizeof(quern_step), step.token,
                          step.logprob,       step.text.data(),
                          step.text.size(),   reinterpret_cast<const quern_token_logprob*>(step.top.data()),
                          step.top.size()};
    return on_step(on_step_user, &told) == 0 && go_on;
  }
};

}  // namespace

quern_status read_generate_options(const quern_generate_options* given, GenerateOptions& out) {
  quern_generate_options o = QUERN_GENERATE_OPTIONS_INIT;
  QUERN_C_CHECK(read_options(given, o, "quern_generate_options", offsetof(quern_generate_options, adapters)));
  QUERN_C_CHECK(check_array(o.stop, o.n_stop, "stop"));
  out.max_tokens = o.max_tokens > 0 ? o.max_tokens : -1;
  QUERN_C_CHECK(read_sampler_options(o.sampler, out.sampler));
  for (size_t i = 0; i < o.n_stop; ++i) {
    if (!o.stop[i]) return refuse(Errc::argument, "stop[" + std::to_string(i) + "] is NULL");
    out.stop.emplace_back(o.stop[i]);
  }
  if (o.on_token || o.on_step) out.on_token = Steps{o.on_token, o.on_token_user, o.on_step, o.on_step_user};
  if (o.logprobs != 0) out.n_logprobs = static_cast<int32_t>(std::min<uint32_t>(o.n_logprobs, INT32_MAX));
  out.progress = progress_of(o.progress, o.progress_user);
  out.cancel = cancel_of(o.cancel);
  if (o.adapters == nullptr && o.n_adapters == 0) return QUERN_OK;
  return read_adapters(o.adapters, o.n_adapters, out.adapters.emplace());
}

}  // namespace quern::capi

extern "C" {

quern_status quern_generate(quern_context* context, const quern_token* prompt, size_t n_tokens,
                            const quern_generate_options* options, quern_generation** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(context);
  return guard([&] {
    QUERN_C_CHECK(check_array(prompt, n_tokens, "prompt"));
    quern::GenerateOptions wanted;
    QUERN_C_CHECK(read_generate_options(options, wanted));
    auto generation = quern::generate(*context->context, {prompt, n_tokens}, wanted);
    if (!generation) return refuse(generation.error());
    *out = new quern_generation{std::move(*generation)};
    return QUERN_OK;
  });
}

const char* quern_generation_text(const quern_generation* generation, size_t* size) {
  if (size) *size = generation ? generation->generation.text.size() : 0;
  return generation ? generation->generation.text.c_str() : "";
}

const quern_token* quern_generation_tokens(const quern_generation* generation, size_t* n_tokens) {
  if (n_tokens) *n_tokens = generation ? generation->generation.tokens.size() : 0;
  return generation ? generation->generation.tokens.data() : nullptr;
}

int32_t quern_generation_stop_reason(const quern_generation* generation) {
  return generation ? static_cast<int32_t>(generation->generation.stop_reason) : QUERN_STOP_LENGTH;
}

quern_status quern_generation_get_timings(const quern_generation* generation, quern_timings* out) {
  QUERN_C_NEED(generation);
  QUERN_C_NEED(out);
  return guard([&] {
    const quern::GenerateTimings& timings = generation->generation.timings;
    quern_timings from = QUERN_TIMINGS_INIT;
    from.n_prompt = timings.n_prompt;
    from.n_cached = timings.n_cached;
    from.n_generated = timings.n_generated;
    from.prompt_seconds = timings.prompt_seconds;
    from.generate_seconds = timings.generate_seconds;
    return write_info(from, out, "quern_timings");
  });
}

void quern_generation_close(quern_generation* generation) { delete generation; }

}  // extern "C"
