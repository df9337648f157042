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

/// The weights of a model whose inputs are collected, with the names of their tensors.
using WatchedWeights = std::map<const compute::Weight*, std::string>;

/// Those of the layers ("blk."); with `output` also the one that makes the logits.
WatchedWeights watched_weights(const model::Weights& weights, bool output);

/// One Sum for each input that weights are multiplied with: queries, keys and values share theirs. A Sum is made from
/// the input's number of columns and has add(const compute::MatmulInput&), as SquareSums.
template <class Sum>
class ActivationCollector final : public compute::MatmulObserver {
 public:
  explicit ActivationCollector(WatchedWeights watched) : watched_(std::move(watched)) {}

  struct Group {
    std::vector<std::string> names;  ///< the tensors that share the input
    Sum sum;
  };

  void observe(const compute::MatmulInput& x, std::span<const compute::MatmulTarget> targets) override {
    std::vector<const compute::Weight*> key;
    for (const compute::MatmulTarget& target : targets) {
      if (watched_.count(target.weight) > 0) key.push_back(target.weight);
    }
    if (key.empty()) return;
    const auto [place, is_new] = by_weights_.try_emplace(key, groups_.size());
    if (is_new) {
      groups_.push_back({{}, Sum(x.cols)});
      std::vector<std::string>& names = groups_.back().names;
      for (const compute::Weight* weight : key) {  // the parts of a fused tensor have one name
        if (std::find(names.begin(), names.end(), watched_.at(weight)) == names.end())
          names.push_back(watched_.at(weight));
      }
    }
    groups_[place->second].sum.add(x);
  }

  /// What was collected since the last call, in the order in which the model came to it; starts anew.
  std::vector<Group> take() {
    by_weights_.clear();
    return std::exchange(groups_, {});
  }

 private:
  WatchedWeights watched_;
  std::map<std::vector<const compute::Weight*>, size_t> by_weights_;
  std::vector<Group> groups_;
};

}  // namespace quern::convert
