// Perplexity, comparison.
#include "capi/src/door.h"

using namespace quern::capi;

namespace quern::capi {
namespace {

quern_perplexity_result result_of(const Perplexity& result) {
  quern_perplexity_result out = QUERN_PERPLEXITY_RESULT_INIT;
  out.ppl = result.ppl;
  out.nll = result.nll;
  out.nll_stderr = result.nll_stderr;
  out.n_tokens = result.n_tokens;
  out.n_windows = result.n_windows;
  return out;
}

}  // namespace

quern_status read_perplexity_options(const quern_perplexity_options* given, PerplexityOptions& out) {
  quern_perplexity_options o = QUERN_PERPLEXITY_OPTIONS_INIT;
  QUERN_C_CHECK(read_options(given, o, "quern_perplexity_options", offsetof(quern_perplexity_options, adapters)));
  if (o.n_ctx) out.n_ctx = o.n_ctx;
  if (o.n_batch) out.n_batch = o.n_batch;
  if (o.max_windows > 0) out.max_windows = o.max_windows;
  out.progress = progress_of(o.progress, o.progress_user);
  out.cancel = cancel_of(o.cancel);
  if (o.on_window) {
    out.on_window = [function = o.on_window, user = o.on_window_user](const Perplexity& so_far) {
      const quern_perplexity_result result = result_of(so_far);
      function(user, &result);
    };
  }
  return read_adapters(o.adapters, o.n_adapters, out.adapters);
}

}  // namespace quern::capi

extern "C" {

quern_status quern_perplexity(const quern_model* model, const quern_token* tokens, size_t n_tokens,
                              const quern_perplexity_options* options, quern_perplexity_result* out) {
  QUERN_C_NEED(out);
  QUERN_C_NEED(model);
  return guard([&] {
    QUERN_C_CHECK(check_array(tokens, n_tokens, "tokens"));
    QUERN_C_CHECK(write_info(result_of({}), out, "quern_perplexity_result"));
    quern::PerplexityOptions wanted;
    QUERN_C_CHECK(read_perplexity_options(options, wanted));
    const auto result = quern::perplexity(model->model, {tokens, n_tokens}, wanted);
    if (!result) return refuse(result.error());
    return write_info(result_of(*result), out, "quern_perplexity_result");
  });
}

quern_status quern_compare(const quern_model* reference, const quern_model* model, const quern_token* tokens,
                           size_t n_tokens, const quern_perplexity_options* options, quern_comparison* out) {
  QUERN_C_NEED(out);
  QUERN_C_NEED(reference);
  QUERN_C_NEED(model);
  return guard([&] {
    QUERN_C_CHECK(check_array(tokens, n_tokens, "tokens"));
    quern_comparison from = QUERN_COMPARISON_INIT;
    QUERN_C_CHECK(write_info(from, out, "quern_comparison"));
    quern::PerplexityOptions wanted;
    QUERN_C_CHECK(read_perplexity_options(options, wanted));
    const auto result = quern::compare(reference->model, model->model, {tokens, n_tokens}, wanted);
    if (!result) return refuse(result.error());
    from.kl_divergence = result->kl_divergence;
    from.kl_divergence_stderr = result->kl_divergence_stderr;
    from.top1_agreement = result->top1_agreement;
    from.reference_ppl = result->reference_ppl;
    from.ppl = result->ppl;
    from.n_tokens = result->n_tokens;
    return write_info(from, out, "quern_comparison");
  });
}

}  // extern "C"
