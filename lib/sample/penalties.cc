// penalties: makes tokens of the last `penalty_last_n` less likely. For a token that occurs n > 0 times there:
//   logit = logit > 0 ? logit / repeat : logit * repeat      (Keskar et al., "CTRL", 2019)
//   logit -= n * frequency + presence                         (OpenAI's API)
#include <unordered_map>

#include "lib/sample/history.h"
#include "lib/sample/step.h"

namespace quern::sample {
namespace {

class PenaltiesStep final : public Step {
 public:
  explicit PenaltiesStep(const SamplerOptions& options)
      : repeat_(options.repeat_penalty),
        frequency_(options.frequency_penalty),
        presence_(options.presence_penalty),
        history_(options.penalty_last_n) {}

  void apply(Candidates& candidates) override {
    candidates.edit_tokens(counts_, [this](const Candidate& c, int32_t count) {
      const float scaled = c.logit > 0 ? c.logit / repeat_ : c.logit * repeat_;
      return scaled - (static_cast<float>(count) * frequency_ + presence_);
    });
  }
  void accept(int32_t token) override {
    ++counts_[token];
    const auto oldest = history_.push(token);
    if (!oldest) return;
    const auto it = counts_.find(*oldest);
    if (--it->second == 0) counts_.erase(it);
  }
  void reset() override {
    history_.clear();
    counts_.clear();
  }

 private:
  float repeat_, frequency_, presence_;
  History history_;
  std::unordered_map<int32_t, int32_t> counts_;  ///< Of the tokens in the history.
};

Status check(const StepContext& context) {
  const auto& options = context.options;
  QUERN_CHECK(check_at_least("penalty_last_n", options.penalty_last_n, -1));
  QUERN_CHECK(check_finite("repeat_penalty", options.repeat_penalty));
  QUERN_ENSURE(options.repeat_penalty > 0, Errc::argument,
               "sampler option repeat_penalty: expected more than 0, found ", options.repeat_penalty);
  QUERN_CHECK(check_finite("frequency_penalty", options.frequency_penalty));
  return check_finite("presence_penalty", options.presence_penalty);
}

std::unique_ptr<Step> create(const StepContext& context) {
  const auto& options = context.options;
  const bool off = options.repeat_penalty == 1 && options.frequency_penalty == 0 && options.presence_penalty == 0;
  if (off || options.penalty_last_n == 0) return nullptr;
  return std::make_unique<PenaltiesStep>(options);
}

}  // namespace

extern const StepInfo kPenaltiesStep = {'e', "penalties", check, create};

}  // namespace quern::sample
