// Perplexity.
#include "capi/src/door.h"

using namespace quern::capi;

extern "C" {

quern_status quern_perplexity(const quern_model* model, const quern_token* tokens, size_t n_tokens,
                              const quern_perplexity_options* options, quern_perplexity_result* out) {
  QUERN_C_NEED(out);
  QUERN_C_NEED(model);
  return guard([&] {
    QUERN_C_CHECK(check_array(tokens, n_tokens, "tokens"));
    quern_perplexity_options o = QUERN_PERPLEXITY_OPTIONS_INIT;
    QUERN_C_CHECK(read_options(options, o, "quern_perplexity_options", offsetof(quern_perplexity_options, adapters)));
    quern_perplexity_result from = QUERN_PERPLEXITY_RESULT_INIT;
    QUERN_C_CHECK(write_info(from, out, "quern_perplexity_result"));
    quern::PerplexityOptions wanted;
    if (o.n_ctx) wanted.n_ctx = o.n_ctx;
    if (o.n_batch) wanted.n_batch = o.n_batch;
    if (o.max_windows > 0) wanted.max_windows = o.max_windows;
    wanted.progress = progress_of(o.progress, o.progress_user);
    wanted.cancel = cancel_of(o.cancel);
    QUERN_C_CHECK(read_adapters(o.adapters, o.n_adapters, wanted.adapters));
    const auto result = quern::perplexity(model->model, {tokens, n_tokens}, wanted);
    if (!result) return refuse(result.error());
    from.ppl = result->ppl;
    from.nll = result->nll;
    from.nll_stderr = result->nll_stderr;
    from.n_tokens = result->n_tokens;
    from.n_windows = result->n_windows;
    return write_info(from, out, "quern_perplexity_result");
  });
}

}  // extern "C"
