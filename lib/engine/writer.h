// Writer: what follows a pass of the model for one generation: choose a token, see whether that ends it, turn it into
// text.
#pragma once

#include <quern/generate.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/engine/stop_matcher.h"
#include "lib/text/utf8_stream.h"

namespace quern::engine {

/// Joins the pieces of tokens to characters, takes stop texts out and tells the caller. Not thread-safe.
class Writer {
 public:
  /// `options` (of which those of sampling and output count) outlives the writer. Penalties look back at the prompt.
  static Result<Writer> create(const Model& model, std::span<const Token> prompt, const GenerateOptions& options);

  /// The token that the model is to read next; none where the generation has ended, and why is known.
  Result<std::optional<Token>> next(std::span<const float> logits);
  /// Ends a generation that next() has not ended.
  void stop(StopReason reason) { out_.stop_reason = reason; }
  /// What was generated; the timings are the caller's. Tells what text was held back.
  Generation finish();
  size_t n_tokens() const { return out_.tokens.size(); }

 private:
  Writer(const Tokenizer& tokenizer, Sampler sampler, const GenerateOptions& options)
      : tokenizer_(&tokenizer), options_(&options), sampler_(std::move(sampler)), matcher_(options.stop) {}
  bool complete() const {
    return options_->max_tokens >= 0 && out_.tokens.size() >= static_cast<size_t>(options_->max_tokens);
  }
  bool add(Token token, std::span<const float> logits);
  bool tell(const GeneratedToken& token) const { return !options_->on_token || options_->on_token(token); }

  const Tokenizer* tokenizer_;
  const GenerateOptions* options_;
  Sampler sampler_;
  StopMatcher matcher_;
  text::Utf8Stream characters_;
  Generation out_;
  std::vector<size_t> starts_;  ///< bytes of text that preceded each token
  size_t streamed_ = 0;
};

/// The natural logarithm of the model's probability of `token`, before any step of sampling, and the most probable
/// tokens with theirs: n of them, or as many as there are.
float log_probability(std::span<const float> logits, Token token, size_t n, std::vector<TokenLogprob>& top);

}  // namespace quern::engine
