// The list of steps.
#include "lib/sample/step.h"

namespace quern::sample {

extern const StepInfo kPenaltiesStep, kDryStep, kTopNSigmaStep, kTopKStep, kTypicalPStep, kTopPStep, kMinPStep,
    kXtcStep, kTemperatureStep;

static constexpr const StepInfo* kSteps[] = {
    &kLogitBiasStep, &kPenaltiesStep, &kDryStep,         &kTopNSigmaStep, &kTopKStep,     &kTypicalPStep,  &kTopPStep,
    &kMinPStep,      &kXtcStep,       &kTemperatureStep, &kGreedyStep,    &kMirostatStep, &kMirostat2Step, &kDistStep,
};

std::span<const StepInfo* const> steps() { return kSteps; }

const StepInfo* find_step(char letter) {
  for (const StepInfo* info : kSteps)
    if (info->letter != 0 && info->letter == letter) return info;
  return nullptr;
}

}  // namespace quern::sample
