// typical_p, locally typical sampling: prefers the tokens whose surprise is closest to the expected one (Meister et
// al., "Locally typical sampling", 2023). With H the entropy in nats, tokens are taken by |-ln p - H|, smallest first,
// until their probabilities exceed typical_p together, and at least min_keep.
#include <algorithm>

#include "lib/sample/step.h"

namespace quern::sample {
namespace {

class TypicalPStep final : public Step {
 public:
  TypicalPStep(float p, size_t min_keep) : p_(p), min_keep_(std::max<size_t>(min_keep, 1)) {}

  void apply(Candidates& candidates) override {
    candidates.softmax();
    const double entropy = candidates.entropy();
    scores_.resize(candidates.size());
    for (size_t i = 0; i < candidates.size(); ++i)
      scores_[i] = {std::abs(-candidates.log_probability(candidates[i]) - entropy), i};  // +infinity where p = 0

    double sum = 0;
    size_t i = 0, n_sorted = 0;
    for (; i < scores_.size(); ++i) {
      if (i == n_sorted) {
        n_sorted = std::min(std::max<size_t>(64, 4 * n_sorted), scores_.size());
        std::partial_sort(at(i), at(n_sorted), scores_.end());
      }
      sum += candidates[scores_[i].second].probability;
      if (sum > p_ && i + 1 >= min_keep_) break;
    }
    if (i >= scores_.size()) return;
    std::sort(scores_.begin(), at(i + 1), [](const Score& a, const Score& b) { return a.second < b.second; });
    size_t next = 0;  // the kept indices ascend in scores_[0, i]
    candidates.keep_if([&](size_t index, const Candidate&) {
      if (next > i || scores_[next].second != index) return false;
      ++next;
      return true;
    });
  }

 private:
  using Score = std::pair<double, size_t>;  ///< And the candidate's index, which makes the order total.
  std::vector<Score>::iterator at(size_t i) { return scores_.begin() + static_cast<ptrdiff_t>(i); }

  double p_;
  size_t min_keep_;
  std::vector<Score> scores_;
};

Status check(const StepContext& context) { return check_range("typical_p", context.options.typical_p, 0.f, 1.f); }

std::unique_ptr<Step> create(const StepContext& context) {
  if (context.options.typical_p >= 1) return nullptr;
  return std::make_unique<TypicalPStep>(context.options.typical_p, context.options.min_keep);
}

}  // namespace

extern const StepInfo kTypicalPStep = {'y', "typical_p", check, create};

}  // namespace quern::sample
