#include "lib/cpu/matmul/matmul.h"

#include <algorithm>

#include "lib/cpu/kernels/elementwise.h"

namespace quern::cpu {

using compute::ExpertTarget;
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
// Of a panel and of a tile: the size of a block of results.
constexpr size_t kMaxLanes = 64, kMaxTileWidth = 8;

const PanelWeight& panels_of(const compute::Weight& weight) { return static_cast<const PanelWeight&>(weight); }
}  // namespace

std::pair<Matmul::Input&, bool> Matmul::input_for(ActivationKind kind, std::span<const PanelWeight* const> weights,
                                                  size_t cols) {
  const auto order_of = [](const PanelWeight* weight) { return weight ? weight->column_order() : nullptr; };
  const auto same = [&](const uint32_t* order, const PanelWeight* weight) {
    const uint32_t* const other = order_of(weight);
    return order == other || (order && other && std::equal(order, order + cols, other));
  };
  for (size_t i = 0; i < n_inputs_; ++i) {
    Input& input = inputs_[i];
    if (input.kind == kind && std::equal(input.orders.begin(), input.orders.end(), weights.begin(), same)) {
      return {input, false};
    }
  }
  if (n_inputs_ == inputs_.size()) inputs_.emplace_back();
  Input& input = inputs_[n_inputs_++];
  input.kind = kind;
  input.orders.clear();
  for (const PanelWeight* weight : weights) input.orders.push_back(order_of(weight));
  return {input, true};
}

void Matmul::run(Mat x, std::span<const MatmulTarget> targets) {
  n_inputs_ = 0;
  products_.clear();
  for (const MatmulTarget& target : targets) {
    const PanelWeight* const weight = &panels_of(*target.weight);
    const ActivationKind kind = weight->kernels().activation;
    const auto [input, is_new] = input_for(kind, {&weight, 1}, x.cols);
    Activations& activations = input.activations;
    if (is_new) activations.pack(x, kind, input.orders[0], weight->kernels().max_width, pool_);
    products_.push_back({weight, target.bias, target.out, &activations, activations.all(), nullptr});
  }
  run_products();
}

void Matmul::run_experts(Mat x, Mat experts, std::span<const ExpertTarget> targets) {
  const size_t n_experts = targets[0].weights.size();
  sort_rows(x, experts, n_experts);
  n_inputs_ = 0;
  products_.clear();
  for (const ExpertTarget& target : targets) {
    weights_.clear();
    for (size_t e = 0; e < n_experts; ++e) weights_.push_back(sizes_[e] ? &panels_of(*target.weights[e]) : nullptr);
    for (size_t e = 0; e < n_experts; ++e) {
      if (weights_[e] == nullptr) continue;
      const PanelKernels& kernels = weights_[e]->kernels();
      const auto [input, is_new] = input_for(kernels.activation, weights_, x.cols);
      if (is_new) {
        input.activations.pack_groups(x, x_rows_, sizes_, input.kind, input.orders, kernels.max_width, pool_,
                                      input.ranges);
      }
      const compute::Weight* const bias = target.biases.empty() ? nullptr : target.biases[e].get();
      products_.push_back({weights_[e], bias, target.out, &input.activations, input.ranges[e], out_rows_.data()});
    }
  }
  run_products();
}

void Matmul::sort_rows(Mat x, Mat experts, size_t n_experts) {
  const size_t n = size_t{experts.rows} * experts.cols;
  const auto expert_of = [&](size_t i) {
    const float* row = experts.row(static_cast<uint32_t>(i / experts.cols));
    return std::min(static_cast<size_t>(row[i % experts.cols]), n_experts - 1);
  };
  sizes_.assign(n_experts, 0);
  for (size_t i = 0; i < n; ++i) ++sizes_[expert_of(i)];
  std::vector<size_t> next(n_experts, 0);
  for (size_t e = 1; e < n_experts; ++e) next[e] = next[e - 1] + sizes_[e - 1];
  out_rows_.resize(n);
  x_rows_.resize(n);
  const size_t rows_apart = x.rows == experts.rows ? experts.cols : 1;
  for (size_t i = 0; i < n; ++i) {
    const size_t place = next[expert_of(i)]++;
    out_rows_[place] = static_cast<uint32_t>(i);
    x_rows_[place] = static_cast<uint32_t>(i / rows_apart);
  }
}

void Matmul::run_products() {
  tasks_.clear();
  size_t bytes_left = 0;
  for (const Product& product : products_) bytes_left += product.weight->n_panels() * product.weight->panel_bytes();
  for (const Product& product : products_) plan(product, bytes_left);
  size_t scratch_bytes = 0;
  for (const Task& task : tasks_) {
    const PanelWeight& weight = *task.product->weight;
    if (weight.packed()) continue;
    scratch_bytes = std::max(scratch_bytes, (task.panel_end - task.panel_begin) * weight.panel_bytes());
  }
  scratch_.resize(std::max(scratch_.size(), pool_.n_threads() * scratch_bytes));
  pool_.run(tasks_.size(),
            [&](size_t i, size_t worker) { run_task(tasks_[i], scratch_.data() + worker * scratch_bytes); });
}

void Matmul::plan(const Product& product, size_t& bytes_left) {
  const PanelWeight& weight = *product.weight;
  const size_t panel_bytes = std::max<size_t>(weight.panel_bytes(), 1), n_panels = weight.n_panels();
  const bool streams = product.tiles.end - product.tiles.begin == 1 && weight.packed();
  for (size_t p = 0; p < n_panels;) {
    const size_t share = bytes_left / (2 * pool_.n_threads());
    const size_t bytes = streams ? std::max(share, kLeastStreamBytes) : std::min(share, kResidentBytes);
    const size_t end = std::min(n_panels, p + bytes / panel_bytes + 1);
    tasks_.push_back({&product, static_cast<uint32_t>(p), static_cast<uint32_t>(end)});
    bytes_left -= std::min(bytes_left, (end - p) * panel_bytes);
    p = end;
  }
}

void Matmul::run_task(const Task& task, uint8_t* scratch) {
  const Product& product = *task.product;
  const PanelWeight& weight = *product.weight;
  const PanelKernels& kernels = weight.kernels();
  const Mat& out = product.out;
  const uint8_t* const panels = weight.panels(task.panel_begin, task.panel_end, scratch);
  const std::span<const Tile> tiles =
      std::span(product.activations->tiles).subspan(product.tiles.begin, product.tiles.end - product.tiles.begin);
  float block[kMaxTileWidth * kMaxLanes];  // results whose rows do not follow each other
  for (const Tile& tile : tiles) {
    for (uint32_t p = task.panel_begin; p < task.panel_end; ++p) {
      const size_t first_row = p * kernels.lanes;
      const size_t n_rows = std::min(kernels.lanes, weight.rows() - first_row);
      const bool direct = product.out_rows == nullptr;
      float* const results = direct ? out.row(tile.first_column) + first_row : block;
      kernels.by_width[tile.width](panels + (p - task.panel_begin) * weight.panel_bytes(),
                                   product.activations->data.data() + tile.offset, weight.n_groups(), results,
                                   direct ? out.stride : kMaxLanes, n_rows);
      for (uint32_t c = 0; c < tile.width && !direct; ++c) {
        std::copy_n(block + c * kMaxLanes, n_rows, out.row(product.out_rows[tile.first_column + c]) + first_row);
      }
    }
  }
  finish_task(task, tiles);
}

void Matmul::finish_task(const Task& task, std::span<const Tile> tiles) {
  const Product& product = *task.product;
  const float scale = product.weight->scale();
  if (product.bias == nullptr && scale == 1) return;
  const float* bias = product.bias ? static_cast<const VectorWeight*>(product.bias)->data() : nullptr;
  const size_t lanes = product.weight->kernels().lanes, begin = task.panel_begin * lanes,
               end = std::min<size_t>(task.panel_end * lanes, product.weight->rows());
  for (const Tile& tile : tiles) {
    for (uint32_t c = tile.first_column; c < tile.first_column + tile.width; ++c) {
      float* const row = product.out.row(product.out_rows ? product.out_rows[c] : c) + begin;
      if (scale != 1) scale_row(row, scale, row, end - begin);
      if (bias != nullptr) add_row(row, bias + begin, end - begin);
    }
  }
}

}  // namespace quern::cpu
