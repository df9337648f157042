#include "lib/engine/writer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/base/status.h"

namespace quern::engine {

Result<Writer> Writer::create(const Model& model, std::span<const Token> prompt, const GenerateOptions& options) {
  QUERN_TRY(auto sampler, Sampler::create(model, options.sampler));
  for (const Token token : prompt) sampler.accept(token);
  return Writer(model.tokenizer(), std::move(sampler), options);
}

Result<std::optional<Token>> Writer::next(std::span<const float> logits) {
  const auto end = [this](StopReason reason) {
    stop(reason);
    return std::optional<Token>();
  };
  if (complete()) return end(StopReason::length);
  if (options_->cancel.cancelled()) return end(StopReason::cancelled);
  const Token token = sampler_.sample(logits);
  QUERN_ENSURE(token >= 0, Errc::internal, "no token could be chosen");
  if (tokenizer_->is_end(token)) return end(StopReason::end_of_generation);
  sampler_.accept(token);
  if (!add(token, logits)) return std::optional<Token>();  // add() knows why
  if (complete()) return end(StopReason::length);
  return std::optional(token);
}

bool Writer::add(Token token, std::span<const float> logits) {
  starts_.push_back(streamed_);
  out_.tokens.push_back(token);
  const std::string text = characters_.push(tokenizer_->piece(token));
  streamed_ += text.size();
  const std::string certain = matcher_.push(text);
  out_.text += certain;
  GeneratedToken step{token, certain, 0, {}};
  std::vector<TokenLogprob> top;
  if (options_->n_logprobs >= 0) {
    step.logprob = log_probability(logits, token, static_cast<size_t>(options_->n_logprobs), top);
    step.top = top;
  }
  const bool go_on = tell(step);
  if (matcher_.matched()) {
    stop(StopReason::stop_text);
    return false;
  }
  if (!go_on) stop(StopReason::cancelled);
  return go_on;
}

Generation Writer::finish() {
  if (!matcher_.matched()) {
    std::string rest = matcher_.push(characters_.finish());
    rest += matcher_.finish();
    out_.text += rest;
    if (!rest.empty()) tell({-1, rest, 0, {}});
  }
  if (matcher_.matched()) {
    // Tokens that begin in the stop text or behind it are not part of the output.
    while (!out_.tokens.empty() && starts_[out_.tokens.size() - 1] >= out_.text.size()) out_.tokens.pop_back();
    stop(StopReason::stop_text);
    out_.stop_text = matcher_.match();
  }
  return std::move(out_);
}

float log_probability(std::span<const float> logits, Token token, size_t n, std::vector<TokenLogprob>& top) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);
  const auto of = [&](size_t i) {
    return static_cast<float>(static_cast<double>(logits[i]) - highest - std::log(sum));
  };
  top.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) top[i] = {static_cast<Token>(i), logits[i]};
  n = std::min(n, top.size());
  const auto before = [](const TokenLogprob& a, const TokenLogprob& b) {
    return a.logprob > b.logprob || (a.logprob == b.logprob && a.token < b.token);
  };
  std::partial_sort(top.begin(), top.begin() + static_cast<ptrdiff_t>(n), top.end(), before);
  top.resize(n);
  for (TokenLogprob& each : top) each.logprob = of(static_cast<size_t>(each.token));
  return of(static_cast<size_t>(token));
}

}  // namespace quern::engine
