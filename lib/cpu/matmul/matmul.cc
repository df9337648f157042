#include "lib/cpu/matmul/matmul.h"

#include <algorithm>

#include "lib/cpu/kernels/elementwise.h"

namespace quern::cpu {

using compute::Mat;
using compute::MatmulTarget;

namespace {
// With one tile the weights stream from memory. Its prefetchers want long runs: 256 KiB at a time reach 48 GB/s where
// 64 KiB reach 37 (Zen 4). So the first tasks are large, and they shrink towards the end to let all threads finish at
// once.
constexpr size_t kLeastStreamBytes = size_t{32} << 10;
// With more tiles a core keeps a task's weights in its second-level cache while it walks through the tiles, as it does
// with weights that it has to pack first.
constexpr size_t kResidentBytes = size_t{256} << 10;
}  // namespace

void Matmul::run(Mat x, std::span<const MatmulTarget> targets) {
  std::array<bool, kActivationKinds> packed{};
  tasks_.clear();
  size_t bytes_left = 0;
  for (const MatmulTarget& target : targets) {
    const auto* weight = static_cast<const PanelWeight*>(target.weight);
    const PanelKernels& kernels = weight->kernels();
    const auto kind = static_cast<size_t>(kernels.activation);
    if (!packed[kind]) activations_[kind].pack(x, kernels.activation, kernels.max_width, pool_);
    packed[kind] = true;
    bytes_left += weight->n_panels() * weight->panel_bytes();
  }
  for (const MatmulTarget& target : targets) {
    const auto* weight = static_cast<const PanelWeight*>(target.weight);
    plan(target, activations_[static_cast<size_t>(weight->kernels().activation)], bytes_left);
  }
  size_t scratch_bytes = 0;
  for (const Task& task : tasks_) {
    if (task.weight->packed()) continue;
    scratch_bytes = std::max(scratch_bytes, (task.panel_end - task.panel_begin) * task.weight->panel_bytes());
  }
  scratch_.resize(std::max(scratch_.size(), pool_.n_threads() * scratch_bytes));
  pool_.run(tasks_.size(),
            [&](size_t i, size_t worker) { run_task(tasks_[i], scratch_.data() + worker * scratch_bytes); });
}

void Matmul::plan(const MatmulTarget& target, const Activations& activations, size_t& bytes_left) {
  const auto* weight = static_cast<const PanelWeight*>(target.weight);
  const size_t panel_bytes = std::max<size_t>(weight->panel_bytes(), 1), n_panels = weight->n_panels();
  const auto n_tiles = static_cast<uint32_t>(activations.tiles.size());
  for (size_t p = 0; p < n_panels;) {
    const size_t share = bytes_left / (2 * pool_.n_threads());
    const size_t bytes =
        n_tiles == 1 && weight->packed() ? std::max(share, kLeastStreamBytes) : std::min(share, kResidentBytes);
    const size_t end = std::min(n_panels, p + bytes / panel_bytes + 1);
    tasks_.push_back({&target, weight, &activations, static_cast<uint32_t>(p), static_cast<uint32_t>(end)});
    bytes_left -= std::min(bytes_left, (end - p) * panel_bytes);
    p = end;
  }
}

void Matmul::run_task(const Task& task, uint8_t* scratch) {
  const PanelWeight& weight = *task.weight;
  const PanelKernels& kernels = weight.kernels();
  const Mat& out = task.target->out;
  const uint8_t* const panels = weight.panels(task.panel_begin, task.panel_end, scratch);
  for (const Tile& tile : task.activations->tiles) {
    for (uint32_t p = task.panel_begin; p < task.panel_end; ++p) {
      const size_t first_row = p * kernels.lanes;
      const size_t n_rows = std::min(kernels.lanes, weight.rows() - first_row);
      kernels.by_width[tile.width](panels + (p - task.panel_begin) * weight.panel_bytes(),
                                   task.activations->data.data() + tile.offset, weight.n_groups(),
                                   out.row(tile.first_column) + first_row, out.stride, n_rows);
    }
  }
  if (task.target->bias == nullptr) return;
  const float* bias = static_cast<const VectorWeight*>(task.target->bias)->data();
  const size_t begin = task.panel_begin * kernels.lanes,
               end = std::min<size_t>(task.panel_end * kernels.lanes, weight.rows());
  for (const Tile& tile : task.activations->tiles) {
    for (uint32_t c = 0; c < tile.width; ++c)
      add_row(out.row(tile.first_column + c) + begin, bias + begin, end - begin);
  }
}

}  // namespace quern::cpu
