// dist: ends a chain by drawing a token by its probability.
#include "lib/sample/draw.h"
#include "lib/sample/step.h"

namespace quern::sample {
namespace {

class DistStep final : public Step {
 public:
  explicit DistStep(uint64_t seed) : start_(seed, static_cast<uint64_t>(RandomStream::choice)), rng_(start_) {}
  void apply(Candidates& candidates) override {
    candidates.softmax();
    candidates.choose(draw(candidates, rng_));
  }
  void reset() override { rng_ = start_; }

 private:
  base::Rng start_, rng_;
};

}  // namespace

const StepInfo kDistStep = {0, "dist", nullptr, [](const StepContext& context) -> std::unique_ptr<Step> {
                              return std::make_unique<DistStep>(context.seed);
                            }};

}  // namespace quern::sample
