// Evaluation: how well a model predicts a text.
#pragma once

#include <quern/context.h>
#include <quern/result.h>

#include <cstdint>
#include <functional>
#include <span>

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
};

/// Windows of n_ctx tokens, each evaluated on its own with the first token replaced by BOS where the model adds one.
/// Errc::argument if the text is shorter than one window.
Result<Perplexity> perplexity(const Model& model, std::span<const Token> tokens, const PerplexityOptions& options = {});

}  // namespace quern
