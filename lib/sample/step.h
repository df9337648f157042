// Step: one link of a sampler's chain, and the list of all there are.
//
// A step is one file: what it does to the candidates, the check of its options, and a StepInfo with its letter and
// name, which steps.cc lists.
#pragma once

#include <quern/sampler.h>

#include <cstdint>
#include <memory>
#include <span>

#include "lib/base/status.h"
#include "lib/sample/candidates.h"
#include "lib/sample/vocab.h"

namespace quern::sample {

class Step {
 public:
  virtual ~Step() = default;
  /// There is at least one candidate, and at least one must remain. The last step of a chain calls choose().
  virtual void apply(Candidates& candidates) = 0;
  /// Adds a token (of the vocabulary) to the history.
  virtual void accept(int32_t /*token*/) {}
  /// Forgets the history, and starts again from the seed.
  virtual void reset() {}
};

/// What a step is made from. The vocabulary is only looked at while it is made.
struct StepContext {
  const SamplerOptions& options;
  const SamplerVocab& vocab;
  uint64_t seed;
};

/// Streams of random numbers, so that one step's draws do not shift another's.
enum class RandomStream : uint64_t { choice = 0, xtc = 1 };

struct StepInfo {
  char letter;  ///< In SamplerOptions::order; 0: the step has a fixed place.
  const char* name;
  /// Errc::argument for an option that is out of range, whether or not the step is to run. Null: there is nothing to
  /// check.
  Status (*check)(const StepContext& context);
  /// Null where the options turn the step off.
  std::unique_ptr<Step> (*create)(const StepContext& context);
};

/// All steps.
std::span<const StepInfo* const> steps();
/// The step of a letter, or null.
const StepInfo* find_step(char letter);

// The steps with a fixed place: first, and last.
extern const StepInfo kLogitBiasStep, kGreedyStep, kMirostatStep, kMirostat2Step, kDistStep;

/// Errc::argument unless low <= value <= high (so not for NaN), naming the option.
template <class Number>
Status check_range(std::string_view option, Number value, Number low, Number high) {
  QUERN_ENSURE(value >= low && value <= high, Errc::argument, "sampler option ", option, ": expected a value from ",
               low, " to ", high, ", found ", value);
  return {};
}

/// Errc::argument unless the value is finite and at least `low`.
inline Status check_finite(std::string_view option, float value, float low = std::numeric_limits<float>::lowest()) {
  if (low == std::numeric_limits<float>::lowest())
    QUERN_ENSURE(std::isfinite(value), Errc::argument, "sampler option ", option, ": expected a finite number, found ",
                 value);
  QUERN_ENSURE(std::isfinite(value) && value >= low, Errc::argument, "sampler option ", option,
               ": expected a finite number of at least ", low, ", found ", value);
  return {};
}

/// Errc::argument unless value >= low, for counts where -1 or 0 is special.
inline Status check_at_least(std::string_view option, int32_t value, int32_t low) {
  QUERN_ENSURE(value >= low, Errc::argument, "sampler option ", option, ": expected at least ", low, ", found ", value);
  return {};
}

}  // namespace quern::sample
