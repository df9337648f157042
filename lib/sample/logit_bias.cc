// logit_bias: adds a number to the logits of chosen tokens; -infinity forbids a token. ignore_eos forbids those that
// end a generation. Several biases of one token add up.
#include <unordered_map>

#include "lib/sample/step.h"

namespace quern::sample {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

class LogitBiasStep final : public Step {
 public:
  explicit LogitBiasStep(std::unordered_map<int32_t, float> biases) : biases_(std::move(biases)) {}
  void apply(Candidates& candidates) override {
    // Forbidding wins over a logit of +infinity, which the sum would not say.
    candidates.edit_tokens(biases_,
                           [](const Candidate& c, float bias) { return bias == kForbidden ? bias : c.logit + bias; });
  }

 private:
  std::unordered_map<int32_t, float> biases_;
};

Status check(const StepContext& context) {
  const int32_t n_tokens = context.vocab.n_tokens();
  const auto& biases = context.options.logit_bias;
  for (size_t i = 0; i < biases.size(); ++i) {
    QUERN_ENSURE(biases[i].token >= 0 && biases[i].token < n_tokens, Errc::argument, "sampler option logit_bias[", i,
                 "].token: expected an id from 0 to ", n_tokens - 1, ", found ", biases[i].token);
    QUERN_ENSURE(std::isfinite(biases[i].bias) || biases[i].bias == kForbidden, Errc::argument,
                 "sampler option logit_bias[", i, "].bias of token ", biases[i].token,
                 ": expected a finite number or -infinity, found ", biases[i].bias);
  }
  return {};
}

std::unique_ptr<Step> create(const StepContext& context) {
  std::unordered_map<int32_t, float> biases;
  for (const auto& [token, bias] : context.options.logit_bias) biases[token] += bias;
  if (context.options.ignore_eos)
    for (int32_t token = 0; token < context.vocab.n_tokens(); ++token)
      if (context.vocab.is_end_of_generation(token)) biases[token] = kForbidden;
  // Two huge biases may overflow; their token is then as good as forced, and stays comparable.
  for (auto& [token, bias] : biases)
    if (bias > 0 && std::isinf(bias)) bias = std::numeric_limits<float>::max();
  if (biases.empty()) return nullptr;
  return std::make_unique<LogitBiasStep>(std::move(biases));
}

}  // namespace

const StepInfo kLogitBiasStep = {0, "logit_bias", check, create};

}  // namespace quern::sample
