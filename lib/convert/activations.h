// What a model's matrices are multiplied with, summed up while the model reads a text. The sums do not depend on
// threads or on how the text was cut into batches: every element is added in the order of the tokens, in double.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lib/compute/ops.h"
#include "lib/model/weights.h"

namespace quern::convert {

/// The squares of the inputs, summed by column: the diagonal of X^T X. What an importance matrix is made of.
class SquareSums {
 public:
  explicit SquareSums(uint32_t n_cols) : sums_(n_cols) {}
  void add(const compute::MatmulInput& x);

  std::span<const double> sums() const { return sums_; }
  uint64_t n_rows() const { return n_rows_; }

 private:
  std::vector<double> sums_;
  uint64_t n_rows_ = 0;
};

/// A weight whose input is collected: a tensor, or one matrix of a tensor that holds the experts of a layer.
struct WatchedWeight {
  std::string name;  ///< of the tensor
  size_t matrix = 0, n_matrices = 1;
  bool operator==(const WatchedWeight&) const = default;
};
using WatchedWeights = std::map<const compute::Weight*, WatchedWeight>;

/// Those of the layers ("blk."); with `output` also the one that makes the logits.
WatchedWeights watched_weights(const model::Weights& weights, bool output);

/// One Sum for each input that weights are multiplied with: queries, keys and values share theirs. A Sum is made from
/// the input's number of columns and has add(const compute::MatmulInput&), as SquareSums.
template <class Sum>
class ActivationCollector final : public compute::MatmulObserver {
 public:
  explicit ActivationCollector(WatchedWeights watched) : watched_(std::move(watched)) {}

  struct Group {
    std::vector<WatchedWeight> weights;  ///< that share the input; no two alike
    Sum sum;
  };

  void observe(const compute::MatmulInput& x, std::span<const compute::MatmulTarget> targets) override {
    Key weights;
    for (const compute::MatmulTarget& target : targets) weights.push_back(target.weight);
    if (Group* group = group_of(weights, x.cols)) group->sum.add(x);
  }

  void observe_experts(const compute::MatmulInput& x, std::span<const compute::ExpertRow> rows,
                       std::span<const compute::ExpertTarget> targets) override {
    std::vector<std::vector<uint32_t>> rows_of(targets[0].weights.size());
    for (const compute::ExpertRow& pair : rows) rows_of[pair.expert].push_back(pair.row);
    for (size_t expert = 0; expert < rows_of.size(); ++expert) {
      if (rows_of[expert].empty()) continue;
      Key weights;
      for (const compute::ExpertTarget& target : targets) weights.push_back(target.weights[expert].get());
      Group* group = group_of(weights, x.cols);
      if (group == nullptr) continue;
      for (const uint32_t row : rows_of[expert]) group->sum.add({x.row(row), 1, x.cols, x.stride});
    }
  }

  /// What was collected since the last call, in the order in which the model came to it; starts anew.
  std::vector<Group> take() {
    by_weights_.clear();
    return std::exchange(groups_, {});
  }

 private:
  using Key = std::vector<const compute::Weight*>;

  /// nullptr where none of the weights is watched.
  Group* group_of(const Key& weights, uint32_t n_cols) {
    Key key;
    for (const compute::Weight* weight : weights) {
      if (watched_.count(weight) > 0) key.push_back(weight);
    }
    if (key.empty()) return nullptr;
    const auto [place, is_new] = by_weights_.try_emplace(key, groups_.size());
    if (is_new) {
      groups_.push_back({{}, Sum(n_cols)});
      std::vector<WatchedWeight>& members = groups_.back().weights;
      for (const compute::Weight* weight : key) {  // the parts of a fused tensor have one name
        const WatchedWeight& watched = watched_.at(weight);
        if (std::find(members.begin(), members.end(), watched) == members.end()) members.push_back(watched);
      }
    }
    return &groups_[place->second];
  }

  WatchedWeights watched_;
  std::map<Key, size_t> by_weights_;
  std::vector<Group> groups_;
};

}  // namespace quern::convert
