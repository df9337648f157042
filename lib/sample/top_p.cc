// top_p, nucleus sampling: keeps the smallest set of most probable tokens whose probabilities reach p together
// (Holtzman et al., "The curious case of neural text degeneration", 2020), and at least min_keep.
#include <algorithm>

#include "lib/sample/step.h"

namespace quern::sample {
namespace {

class TopPStep final : public Step {
 public:
  TopPStep(float p, size_t min_keep) : p_(p), min_keep_(std::max<size_t>(min_keep, 1)) {}

  void apply(Candidates& candidates) override {
    candidates.softmax();
    double sum = 0;
    for (size_t i = 0, n_sorted = 0; i < candidates.size(); ++i) {
      if (i == n_sorted) {  // the nucleus is mostly small: sort no more of a vocabulary than it takes
        n_sorted = std::max<size_t>(64, 4 * n_sorted);
        candidates.sort_to(n_sorted);
      }
      sum += candidates[i].probability;
      if (sum >= p_ && i + 1 >= min_keep_) return candidates.truncate(i + 1);
    }
  }

 private:
  double p_;
  size_t min_keep_;
};

Status check(const StepContext& context) { return check_range("top_p", context.options.top_p, 0.f, 1.f); }

std::unique_ptr<Step> create(const StepContext& context) {
  if (context.options.top_p >= 1) return nullptr;
  return std::make_unique<TopPStep>(context.options.top_p, context.options.min_keep);
}

}  // namespace

extern const StepInfo kTopPStep = {'p', "top_p", check, create};

}  // namespace quern::sample
