// top_k: keeps the k most probable tokens (Fan et al., "Hierarchical neural story generation", 2018).
#include "lib/sample/step.h"

namespace quern::sample {
namespace {

class TopKStep final : public Step {
 public:
  explicit TopKStep(size_t k) : k_(k) {}
  void apply(Candidates& candidates) override { candidates.keep_top(k_); }

 private:
  size_t k_;
};

std::unique_ptr<Step> create(const StepContext& context) {
  if (context.options.top_k <= 0) return nullptr;
  return std::make_unique<TopKStep>(static_cast<size_t>(context.options.top_k));
}

}  // namespace

extern const StepInfo kTopKStep = {'k', "top_k", nullptr, create};

}  // namespace quern::sample
