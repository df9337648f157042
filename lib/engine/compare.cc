// How far a model is from its source: both read the same text, token by token their predictions are compared.
#include <quern/evaluate.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lib/engine/api/impl.h"

namespace quern {
namespace {

struct Sums {
  double kl = 0, kl_squared = 0, reference_nll = 0, nll = 0;
  uint64_t n = 0, n_agree = 0;
};

/// log of the sum of exp(logits).
double log_sum(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return std::log(sum) + largest;
}

void add_token(std::span<const float> p, std::span<const float> q, Token next, Sums& sums) {
  const double p_sum = log_sum(p), q_sum = log_sum(q);
  double kl = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double log_p = static_cast<double>(p[i]) - p_sum;
    kl += std::exp(log_p) * (log_p - (static_cast<double>(q[i]) - q_sum));
  }
  const auto index = static_cast<size_t>(next);
  sums.kl += kl;
  sums.kl_squared += kl * kl;
  sums.reference_nll += p_sum - static_cast<double>(p[index]);
  sums.nll += q_sum - static_cast<double>(q[index]);
  sums.n_agree += std::max_element(p.begin(), p.end()) - p.begin() == std::max_element(q.begin(), q.end()) - q.begin();
  ++sums.n;
}

/// The second half of the window is scored, each token by the one before it.
Status add_window(Context& reference, Context& model, std::span<const Token> window, const PerplexityOptions& options,
                  Sums& sums) {
  const Tokenizer& tokenizer = reference.model().tokenizer();
  const size_t n = window.size(), first = n / 2;
  DecodeOptions decode;
  decode.cancel = options.cancel;
  reference.clear();
  model.clear();
  std::vector<BatchToken> batch;
  for (size_t begin = 0; begin < n; begin += options.n_batch) {
    const size_t end = std::min<size_t>(begin + options.n_batch, n);
    batch.clear();
    for (size_t i = begin; i < end; ++i) {
      const Token token = i == 0 && tokenizer.adds_bos() ? tokenizer.bos() : window[i];
      batch.push_back({token, static_cast<int32_t>(i), 0, i >= first && i + 1 < n});
    }
    QUERN_CHECK(reference.decode(batch, decode));
    QUERN_CHECK(model.decode(batch, decode));
    for (size_t row = 0; row < reference.n_logits(); ++row) {
      add_token(reference.logits(row), model.logits(row), window[std::max(begin, first) + row + 1], sums);
    }
  }
  return {};
}

Comparison result_of(const Sums& sums) {
  Comparison out;
  const double n = static_cast<double>(sums.n);
  out.kl_divergence = sums.kl / n;
  if (sums.n > 1) {
    const double variance = sums.kl_squared / n - out.kl_divergence * out.kl_divergence;
    out.kl_divergence_stderr = std::sqrt(std::max(0.0, variance) / (n - 1));
  }
  out.top1_agreement = static_cast<double>(sums.n_agree) / n;
  out.reference_ppl = std::exp(sums.reference_nll / n);
  out.ppl = std::exp(sums.nll / n);
  out.n_tokens = sums.n;
  return out;
}

Result<Comparison> run(const Model& reference, const Model& model, std::span<const Token> tokens,
                       const PerplexityOptions& options) {
  QUERN_ENSURE(reference.info().n_vocab == model.info().n_vocab, Errc::argument, "the models have vocabularies of ",
               reference.info().n_vocab, " and ", model.info().n_vocab, " tokens");
  const size_t n_ctx = options.n_ctx;
  QUERN_ENSURE(n_ctx >= 4 && tokens.size() >= n_ctx, Errc::argument, "the text has ", tokens.size(),
               " tokens, one window takes ", n_ctx);
  for (const Token token : tokens) {
    QUERN_ENSURE(token >= 0 && static_cast<uint32_t>(token) < model.info().n_vocab, Errc::argument, "token ", token,
                 " is not in the vocabulary");
  }
  size_t n_windows = tokens.size() / n_ctx;
  if (options.max_windows > 0) n_windows = std::min(n_windows, static_cast<size_t>(options.max_windows));
  ContextOptions context_options;
  context_options.n_ctx = options.n_ctx;
  context_options.n_batch = std::min(options.n_batch, options.n_ctx);
  QUERN_TRY(Context left, Context::create(reference, context_options));
  context_options.adapters = options.adapters;
  QUERN_TRY(Context right, Context::create(model, context_options));
  Sums sums;
  for (size_t i = 0; i < n_windows; ++i) {
    QUERN_CHECK(add_window(left, right, tokens.subspan(i * n_ctx, n_ctx), options, sums));
    const bool go_on = !options.progress || options.progress({"compare", (i + 1) * n_ctx, n_windows * n_ctx});
    QUERN_ENSURE(go_on, Errc::cancelled, "the comparison was cancelled");
  }
  return result_of(sums);
}

}  // namespace

Result<Comparison> compare(const Model& reference, const Model& model, std::span<const Token> tokens,
                           const PerplexityOptions& options) {
  return engine::guarded([&] { return run(reference, model, tokens, options); });
}

}  // namespace quern
