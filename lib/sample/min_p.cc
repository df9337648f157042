// min_p: keeps the tokens that are at least min_p times as probable as the most probable one (Nguyen et al., "Turning
// up the heat: min-p sampling", 2024), and at least min_keep. In logits: logit >= max + ln(min_p).
#include "lib/sample/portable_math.h"
#include "lib/sample/step.h"

namespace quern::sample {
namespace {

class MinPStep final : public Step {
 public:
  MinPStep(float p, size_t min_keep) : log_p_(static_cast<float>(portable_log(p))), min_keep_(min_keep) {}

  void apply(Candidates& candidates) override {
    const float limit = candidates[candidates.argmax()].logit + log_p_;
    size_t passing = 0;
    for (const auto& c : candidates.items()) passing += c.logit >= limit;
    if (passing < min_keep_) return candidates.keep_top(min_keep_);
    candidates.keep_if([limit](size_t, const Candidate& c) { return c.logit >= limit; });
  }

 private:
  float log_p_;
  size_t min_keep_;
};

Status check(const StepContext& context) { return check_range("min_p", context.options.min_p, 0.f, 1.f); }

std::unique_ptr<Step> create(const StepContext& context) {
  if (context.options.min_p <= 0) return nullptr;
  return std::make_unique<MinPStep>(context.options.min_p, context.options.min_keep);
}

}  // namespace

extern const StepInfo kMinPStep = {'m', "min_p", check, create};

}  // namespace quern::sample
