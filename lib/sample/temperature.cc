// temperature: logit = logit / T. Below 1 the distribution sharpens, above it flattens; T <= 0 leaves the most probable
// token alone.
//
// With dynatemp_range r > 0, T depends on how sure the model is: with H the entropy of the n candidates,
//   T = low + (high - low) (H / ln n)^dynatemp_exponent, low = max(0, T0 - r), high = T0 + r.
#include <algorithm>

#include "lib/sample/portable_math.h"
#include "lib/sample/step.h"

namespace quern::sample {
namespace {

class TemperatureStep final : public Step {
 public:
  explicit TemperatureStep(const SamplerOptions& options)
      : temperature_(options.temperature), range_(options.dynatemp_range), exponent_(options.dynatemp_exponent) {}

  void apply(Candidates& candidates) override {
    const float temperature = range_ > 0 && temperature_ > 0 ? dynamic(candidates) : temperature_;
    if (temperature == 1) return;
    const size_t best = candidates.argmax();
    const float max = candidates[best].logit;
    // So small a temperature that the quotients overflow and can no longer be told apart is as good as zero.
    const bool overflow = std::isfinite(max) && !std::isfinite(max / temperature);
    if (temperature <= 0 || overflow)
      return candidates.keep_if([best](size_t i, const Candidate&) { return i == best; });
    candidates.edit_all([temperature](const Candidate& c) { return c.logit / temperature; });
  }

 private:
  float dynamic(Candidates& candidates) const {
    if (candidates.size() < 2) return temperature_;
    candidates.softmax();
    const double most = portable_log(static_cast<double>(candidates.size()));
    const double share = std::min(candidates.entropy() / most, 1.0);
    const double low = std::max(0.0, temperature_ - range_), high = temperature_ + range_;
    return static_cast<float>(low + (high - low) * portable_pow(share, exponent_));
  }

  float temperature_;
  double range_, exponent_;
};

Status check(const StepContext& context) {
  QUERN_CHECK(check_finite("temperature", context.options.temperature));
  QUERN_CHECK(check_finite("dynatemp_range", context.options.dynatemp_range, 0));
  return check_finite("dynatemp_exponent", context.options.dynatemp_exponent, 0);
}

std::unique_ptr<Step> create(const StepContext& context) {
  if (context.options.temperature == 1 && context.options.dynatemp_range == 0) return nullptr;
  return std::make_unique<TemperatureStep>(context.options);
}

}  // namespace

extern const StepInfo kTemperatureStep = {'t', "temperature", check, create};

}  // namespace quern::sample
