#include "lib/cpu/matmul/matmul.h"

#include <algorithm>

#include "lib/cpu/kernels/elementwise.h"

namespace quern::cpu {

using compute::Mat;
using compute::MatmulTarget;

namespace {
// A task streams at least this much of the weights, so that the memory's prefetchers see long runs.
constexpr size_t kTaskBytes = size_t{64} << 10;
// Activations that a core keeps in its second-level cache while it walks through the panels of a task.
constexpr size_t kColumnChunkBytes = size_t{512} << 10;
}  // namespace

void Matmul::run(Mat x, std::span<const MatmulTarget> targets) {
  std::array<bool, kActivationKinds> packed{};
  tasks_.clear();
  for (const MatmulTarget& target : targets) {
    const PanelKernels& kernels = static_cast<const PanelWeight*>(target.weight)->kernels();
    const auto kind = static_cast<size_t>(kernels.activation);
    if (!packed[kind]) activations_[kind].pack(x, kernels.activation, kernels.max_width, pool_);
    packed[kind] = true;
    plan(target, activations_[kind], column_bytes(kernels.activation, x.cols));
  }
  pool_.run(tasks_.size(), [&](size_t i) { run_task(tasks_[i]); });
}

void Matmul::plan(const MatmulTarget& target, const Activations& activations, size_t bytes_per_column) {
  const auto* weight = static_cast<const PanelWeight*>(target.weight);
  const size_t columns = std::max<size_t>(16, kColumnChunkBytes / std::max<size_t>(bytes_per_column, 1));
  const size_t by_size = kTaskBytes / std::max<size_t>(weight->panel_bytes(), 1) + 1;
  const size_t by_threads = weight->n_panels() / (4 * size_t{pool_.n_threads()}) + 1;  // enough tasks to share fairly
  const auto step = static_cast<uint32_t>(std::min(by_size, by_threads));
  const auto n_panels = static_cast<uint32_t>(weight->n_panels());
  const auto n_tiles = static_cast<uint32_t>(activations.tiles.size());
  for (uint32_t tile = 0; tile < n_tiles;) {
    uint32_t tile_end = tile;
    while (tile_end < n_tiles &&
           activations.tiles[tile_end].first_column - activations.tiles[tile].first_column < columns)
      ++tile_end;
    for (uint32_t p = 0; p < n_panels; p += step) {
      tasks_.push_back({&target, weight, &activations, p, std::min(p + step, n_panels), tile, tile_end});
    }
    tile = tile_end;
  }
}

void Matmul::run_task(const Task& task) {
  const PanelWeight& weight = *task.weight;
  const PanelKernels& kernels = weight.kernels();
  const Mat& out = task.target->out;
  for (uint32_t p = task.panel_begin; p < task.panel_end; ++p) {
    const size_t first_row = p * kernels.lanes;
    const size_t n_rows = std::min(kernels.lanes, weight.rows() - first_row);
    for (uint32_t t = task.tile_begin; t < task.tile_end; ++t) {
      const Tile& tile = task.activations->tiles[t];
      kernels.by_width[tile.width](weight.panel(p), task.activations->data.data() + tile.offset, weight.n_groups(),
                                   out.row(tile.first_column) + first_row, out.stride, n_rows);
    }
  }
  if (task.target->bias == nullptr) return;
  const float* bias = static_cast<const VectorWeight*>(task.target->bias)->data();
  const size_t begin = task.panel_begin * kernels.lanes,
               end = std::min<size_t>(task.panel_end * kernels.lanes, weight.rows());
  for (uint32_t t = task.tile_begin; t < task.tile_end; ++t) {
    const Tile& tile = task.activations->tiles[t];
    for (uint32_t c = 0; c < tile.width; ++c)
      add_row(out.row(tile.first_column + c) + begin, bias + begin, end - begin);
  }
}

}  // namespace quern::cpu
