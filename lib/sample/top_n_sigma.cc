// top_n_sigma: keeps the tokens whose logit is within n standard deviations of the largest (Tang et al., "Top-n-sigma:
// not all logits are you need", 2024). Impossible tokens (-infinity) do not count in the deviation.
#include "lib/sample/step.h"

namespace quern::sample {
namespace {

class TopNSigmaStep final : public Step {
 public:
  explicit TopNSigmaStep(float n) : n_(n) {}

  void apply(Candidates& candidates) override {
    const double max = candidates[candidates.argmax()].logit;
    if (std::isinf(max)) return;
    size_t count = 0;
    double sum = 0, squares = 0;
    for (const auto& c : candidates.items())
      if (!std::isinf(c.logit)) sum += c.logit, ++count;
    const double mean = sum / static_cast<double>(count);
    for (const auto& c : candidates.items())
      if (!std::isinf(c.logit)) squares += (c.logit - mean) * (c.logit - mean);
    const double limit = max - n_ * std::sqrt(squares / static_cast<double>(count));
    candidates.keep_if([limit](size_t, const Candidate& c) { return c.logit >= limit; });
  }

 private:
  double n_;
};

Status check(const StepContext& context) { return check_finite("top_n_sigma", context.options.top_n_sigma); }

std::unique_ptr<Step> create(const StepContext& context) {
  if (context.options.top_n_sigma <= 0) return nullptr;
  return std::make_unique<TopNSigmaStep>(context.options.top_n_sigma);
}

}  // namespace

extern const StepInfo kTopNSigmaStep = {'s', "top_n_sigma", check, create};

}  // namespace quern::sample
