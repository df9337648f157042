// Perplexity over windows, as llama-perplexity defines it: of each window of n_ctx tokens, the logits at positions
// n_ctx/2 ... n_ctx-2 predict the tokens that follow them; ppl = exp(mean of -log p).
#include <quern/evaluate.h>

#include <algorithm>
#include <cmath>

#include "lib/engine/api/impl.h"

namespace quern {
namespace {

/// -log of the probability that these logits give to a token.
double negative_log_likelihood(std::span<const float> logits, Token token) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return std::log(sum) + largest - static_cast<double>(logits[static_cast<size_t>(token)]);
}

struct Sums {
  double nll = 0, nll_squared = 0;
  uint64_t n = 0;
  uint32_t n_windows = 0;

  Perplexity result() const {
    Perplexity out;
    const double count = static_cast<double>(n);
    out.nll = nll / count;
    out.ppl = std::exp(out.nll);
    out.n_tokens = n;
    out.n_windows = n_windows;
    if (n > 1) out.nll_stderr = std::sqrt(std::max(0.0, nll_squared / count - out.nll * out.nll) / (count - 1));
    return out;
  }
};

Status add_window(Context& context, std::span<const Token> window, const PerplexityOptions& options, Sums& sums) {
  const Tokenizer& tokenizer = context.model().tokenizer();
  const size_t n = window.size(), first = n / 2;
  DecodeOptions decode;
  decode.cancel = options.cancel;
  context.clear();
  std::vector<BatchToken> batch;
  for (size_t begin = 0; begin < n; begin += options.n_batch) {
    const size_t end = std::min<size_t>(begin + options.n_batch, n);
    batch.clear();
    for (size_t i = begin; i < end; ++i) {
      const Token token = i == 0 && tokenizer.adds_bos() ? tokenizer.bos() : window[i];
      batch.push_back({token, static_cast<int32_t>(i), 0, i >= first && i + 1 < n});
    }
    QUERN_CHECK(context.decode(batch, decode));
    for (size_t row = 0; row < context.n_logits(); ++row) {
      const size_t position = std::max(begin, first) + row;
      const double nll = negative_log_likelihood(context.logits(row), window[position + 1]);
      sums.nll += nll;
      sums.nll_squared += nll * nll;
      ++sums.n;
    }
  }
  ++sums.n_windows;
  return {};
}

Result<Perplexity> evaluate(const Model& model, std::span<const Token> tokens, const PerplexityOptions& options) {
  QUERN_ENSURE(options.n_ctx >= 4, Errc::argument, "n_ctx: expected at least 4, found ", options.n_ctx);
  QUERN_ENSURE(options.n_batch >= 1, Errc::argument, "n_batch: expected at least 1, found ", options.n_batch);
  size_t n_windows = tokens.size() / options.n_ctx;
  QUERN_ENSURE(n_windows >= 1, Errc::argument, "the text has ", tokens.size(), " tokens, less than one window of ",
               options.n_ctx);
  if (options.max_windows >= 0) n_windows = std::min(n_windows, static_cast<size_t>(options.max_windows));
  QUERN_ENSURE(n_windows >= 1, Errc::argument, "max_windows: expected at least 1 or -1, found ", options.max_windows);
  for (size_t i = 0; i < n_windows * options.n_ctx; ++i) {
    QUERN_ENSURE(tokens[i] >= 0 && tokens[i] < model.tokenizer().n_tokens(), Errc::argument, "token ", i, " is ",
                 tokens[i], ", the vocabulary has ", model.tokenizer().n_tokens());
  }
  ContextOptions context_options;
  context_options.n_ctx = options.n_ctx;
  context_options.n_batch = std::min(options.n_batch, options.n_ctx);
  context_options.adapters = options.adapters;
  QUERN_TRY(auto context, Context::create(model, context_options));
  Sums sums;
  for (size_t w = 0; w < n_windows; ++w) {
    QUERN_CHECK(add_window(context, tokens.subspan(w * options.n_ctx, options.n_ctx), options, sums));
    if (options.on_window) options.on_window(sums.result());
    const Progress progress{"evaluate", (w + 1) * options.n_ctx, n_windows * options.n_ctx};
    QUERN_ENSURE(!options.progress || options.progress(progress), Errc::cancelled, "the evaluation was cancelled");
  }
  return sums.result();
}

}  // namespace

Result<Perplexity> perplexity(const Model& model, std::span<const Token> tokens, const PerplexityOptions& options) {
  return engine::guarded([&] { return evaluate(model, tokens, options); });
}

}  // namespace quern
