// Evaluation: how well a model predicts a text.
#pragma once

#include <quern/context.h>
#include <quern/result.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace quern {

struct Perplexity {
  double ppl = 0;         ///< exp(nll)
  double nll = 0;         ///< Mean negative log-likelihood of a scored token, in nats.
  double nll_stderr = 0;  ///< Its standard error.
  uint64_t n_tokens = 0;  ///< Tokens scored.
  uint32_t n_windows = 0;
};

struct PerplexityOptions {
  /// Window length in tokens; the second half of each window is scored, as llama-perplexity does.
  uint32_t n_ctx = 512;
  uint32_t n_batch = 512;
  int32_t max_windows = -1;                            ///< -1: all whole windows of the text.
  std::function<void(const Perplexity&)> on_window{};  ///< The figures so far, after each window.
  ProgressFn progress{};                               ///< Stage "evaluate", in tokens.
  CancelToken cancel{};
  std::vector<AdapterUse> adapters{};  ///< What the model is run with.
};

/// Windows of n_ctx tokens, each evaluated on its own with the first token replaced by BOS where the model adds one.
/// Errc::argument if the text is shorter than one window.
Result<Perplexity> perplexity(const Model& model, std::span<const Token> tokens, const PerplexityOptions& options = {});

/// How far a model is from another one of the same vocabulary, as a rule its source in full precision.
struct Comparison {
  double kl_divergence = 0;         ///< Mean of sum p log(p / q), in nats; p: the reference's probabilities of a token.
  double kl_divergence_stderr = 0;  ///< Its standard error.
  double top1_agreement = 0;        ///< The share of tokens where both would choose the same one.
  double reference_ppl = 0, ppl = 0;
  uint64_t n_tokens = 0;  ///< Scored.
};

/// Both models read the same windows, as perplexity() does; of its options on_window is not used, and
/// the adapters are those of `model`. Errc::argument for
/// vocabularies of different sizes.
Result<Comparison> compare(const Model& reference, const Model& model, std::span<const Token> tokens,
                           const PerplexityOptions& options = {});

}  // namespace quern
