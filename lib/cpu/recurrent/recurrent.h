// The verbs of recurrent layers, divided among threads: by channels and tokens, and by heads. Sequences are worked on
// side by side; what one leaves does not depend on the others.
#pragma once

#include <span>
#include <vector>

#include "lib/base/thread_pool.h"
#include "lib/compute/ops.h"
#include "lib/cpu/recurrent/state_store.h"

namespace quern::cpu {

class Recurrent {
 public:
  explicit Recurrent(base::ThreadPool& pool) : pool_(pool) {}

  /// Stream::causal_conv and Stream::delta_rule.
  void causal_conv(const StateStore& states, uint32_t layer, compute::Mat x, const float* taps,
                   std::span<const compute::StateRun> runs, compute::Mat out);
  void delta_rule(const StateStore& states, uint32_t layer, const compute::DeltaShape& shape,
                  const compute::DeltaInputs& in, std::span<const compute::StateRun> runs, compute::Mat out);

 private:
  /// A row, and where the inputs begin that it is made of.
  struct Row {
    size_t input;
    uint32_t row;
  };

  base::ThreadPool& pool_;
  std::vector<const float*> inputs_;  ///< those of each run one behind the other, the past first
  std::vector<Row> rows_;
  std::vector<size_t> ends_;  ///< of each run's inputs
  std::vector<float> zeros_;
};

}  // namespace quern::cpu
