// xtc, "exclude top choices" (p-e-w, 2024): with a given probability, removes every token that reaches the threshold
// but the least probable of them, so that a viable choice always remains. Does nothing where fewer than min_keep would
// be left.
#include "lib/base/rng.h"
#include "lib/sample/step.h"

namespace quern::sample {
namespace {

class XtcStep final : public Step {
 public:
  XtcStep(const SamplerOptions& options, uint64_t seed)
      : probability_(options.xtc_probability),
        threshold_(options.xtc_threshold),
        min_keep_(options.min_keep),
        start_(seed, static_cast<uint64_t>(RandomStream::xtc)),
        rng_(start_) {}

  void apply(Candidates& candidates) override {
    if (candidates.size() < 2) return;
    if (rng_.uniform() >= probability_) return;
    candidates.softmax();
    size_t reaching = 0;
    for (const auto& c : candidates.items()) reaching += c.probability >= threshold_;
    if (reaching < 2 || candidates.size() - (reaching - 1) < min_keep_) return;
    candidates.sort_to(reaching);
    candidates.drop_front(reaching - 1);
  }
  void reset() override { rng_ = start_; }

 private:
  float probability_, threshold_;
  size_t min_keep_;
  base::Rng start_, rng_;
};

Status check(const StepContext& context) {
  QUERN_CHECK(check_range("xtc_probability", context.options.xtc_probability, 0.f, 1.f));
  return check_range("xtc_threshold", context.options.xtc_threshold, 0.f, 1.f);
}

std::unique_ptr<Step> create(const StepContext& context) {
  // Two tokens cannot both reach more than one half.
  if (context.options.xtc_probability <= 0 || context.options.xtc_threshold > 0.5f) return nullptr;
  return std::make_unique<XtcStep>(context.options, context.seed);
}

}  // namespace

extern const StepInfo kXtcStep = {'x', "xtc", check, create};

}  // namespace quern::sample
