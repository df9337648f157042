// greedy: ends a chain by taking the most probable token, of equal ones the first.
#include "lib/sample/step.h"

namespace quern::sample {
namespace {

class GreedyStep final : public Step {
 public:
  void apply(Candidates& candidates) override {
    const size_t best = candidates.argmax();
    candidates.keep_if([best](size_t i, const Candidate&) { return i == best; });
    candidates.softmax();
    candidates.choose(0);
  }
};

}  // namespace

const StepInfo kGreedyStep = {
    0, "greedy", nullptr, [](const StepContext&) -> std::unique_ptr<Step> { return std::make_unique<GreedyStep>(); }};

}  // namespace quern::sample
