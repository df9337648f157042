// The product of one set of activations with several weights.
#pragma once

#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "lib/compute/ops.h"
#include "lib/cpu/matmul/activations.h"
#include "lib/cpu/weight.h"

namespace quern::cpu {

/// Carries out Stream::matmul and Stream::matmul_experts for one stream and keeps its working memory from call to call.
class Matmul {
 public:
  explicit Matmul(base::ThreadPool& pool) : pool_(pool) {}
  void run(compute::Mat x, std::span<const compute::MatmulTarget> targets);
  /// Rows are sorted by expert: each expert's weights are read once, for all rows that chose it.
  void run_experts(compute::Mat x, compute::Mat experts, std::span<const compute::ExpertTarget> targets);

 private:
  /// What some weights of a call multiply: its input in one kind, the columns in the order of those weights.
  struct Input {
    ActivationKind kind;
    std::vector<const uint32_t*> orders;  ///< by expert; of a plain product there is one
    Activations activations;              ///< keeps its memory from call to call
    std::vector<TileRange> ranges;        ///< by expert
  };
  /// One weight times some tiles.
  struct Product {
    const PanelWeight* weight;
    const compute::Weight* bias;  ///< or nullptr
    compute::Mat out;
    const Activations* activations;
    TileRange tiles;
    const uint32_t* out_rows;  ///< of each column; nullptr: column i is row i
  };
  /// Panels [panel_begin, panel_end) of one product.
  struct Task {
    const Product* product;
    uint32_t panel_begin, panel_end;
  };

  /// The input of this call for these weights, one per expert (nullptr: none of its rows are wanted); second: whether
  /// it still has to be packed.
  std::pair<Input&, bool> input_for(ActivationKind kind, std::span<const PanelWeight* const> weights, size_t cols);
  /// Sorts the rows of a product with experts: fills sizes_, out_rows_ and x_rows_.
  void sort_rows(compute::Mat x, compute::Mat experts, size_t n_experts);
  void run_products();
  /// Divides one product into tasks; bytes_left: of this and the following products' weights.
  void plan(const Product& product, size_t& bytes_left);
  static void run_task(const Task& task, uint8_t* scratch);
  /// What follows the sums: the weight's scale, then the bias.
  static void finish_task(const Task& task, std::span<const Tile> tiles);

  base::ThreadPool& pool_;
  std::deque<Input> inputs_;  ///< the first n_inputs_ are this call's
  size_t n_inputs_ = 0;
  std::vector<Product> products_;
  std::vector<Task> tasks_;
  std::vector<uint8_t> scratch_;             ///< per thread: the panels of a task whose weight is not packed
  std::vector<uint32_t> sizes_;              ///< rows of each expert
  std::vector<uint32_t> out_rows_, x_rows_;  ///< sorted by expert: rows of out, and the rows of x they are made of
  std::vector<const PanelWeight*> weights_;  ///< of the experts that have rows
};

}  // namespace quern::cpu
