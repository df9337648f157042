// The product of one set of activations with several weights.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "lib/compute/ops.h"
#include "lib/cpu/matmul/activations.h"
#include "lib/cpu/weight.h"

namespace quern::cpu {

/// Carries out Stream::matmul for one stream and keeps its working memory from call to call.
class Matmul {
 public:
  explicit Matmul(base::ThreadPool& pool) : pool_(pool) {}
  void run(compute::Mat x, std::span<const compute::MatmulTarget> targets);

 private:
  /// Panels [panel_begin, panel_end) of one target times all tiles.
  struct Task {
    const compute::MatmulTarget* target;
    const PanelWeight* weight;
    const Activations* activations;
    uint32_t panel_begin, panel_end;
  };
  /// Divides one target into tasks; bytes_left: of this and the following targets' weights.
  void plan(const compute::MatmulTarget& target, const Activations& activations, size_t& bytes_left);
  static void run_task(const Task& task, uint8_t* scratch);

  base::ThreadPool& pool_;
  std::array<Activations, kActivationKinds> activations_;
  std::vector<Task> tasks_;
  std::vector<uint8_t> scratch_;  ///< per thread: the panels of a task whose weight is not packed
};

}  // namespace quern::cpu
