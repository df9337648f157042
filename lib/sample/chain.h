// Chain: a sampler made of steps: logit_bias, then those that SamplerOptions::order names, then one that chooses.
//
// The one that chooses is greedy at a temperature <= 0, else mirostat where that is on, else dist. With mirostat, of
// the order only penalties and temperature run.
#pragma once

#include <quern/sampler.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/sample/candidates.h"
#include "lib/sample/step.h"
#include "lib/sample/vocab.h"

namespace quern::sample {

/// The same options, seed, logits and accepted tokens give the same choices on every platform. Move-only; one thread.
class Chain {
 public:
  /// Checks every option, those of steps that are off included; Errc::argument names the option, the value and what was
  /// expected. The vocabulary need not outlive the call.
  static Result<Chain> create(const SamplerOptions& options, const SamplerVocab& vocab);

  /// The chosen token, or -1 if there are no logits. NaN counts as -infinity; +infinity as certain.
  int32_t sample(std::span<const float> logits);
  /// Adds a token to the history; one that is not of the vocabulary is ignored.
  void accept(int32_t token);
  void reset();
  /// The seed in use; the one that was drawn where the options left it open.
  uint32_t seed() const { return seed_; }
  /// What the last sample() chose from, most probable first; empty before it.
  std::vector<Candidate> candidates(size_t max_count) const;

 private:
  Chain() = default;
  uint32_t seed_ = 0;
  int32_t n_tokens_ = 0;
  std::vector<std::unique_ptr<Step>> steps_;
  Candidates candidates_;
};

}  // namespace quern::sample
