// A low-rank adapter (lib/io/adapter.h), made ready for one model: A and B of every weight that it changes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/io/adapter.h"
#include "lib/model/open.h"

namespace quern::model {

/// Borrows its model, which must be runnable() and outlive it. Immutable: any number of contexts and threads may use
/// it.
class Adapter {
 public:
  /// What is added to the product of one weight, scale * B (A x), or to those of a layer's experts.
  struct Part {
    std::vector<std::unique_ptr<compute::Weight>> a, b;  ///< one of each, or one for every expert
    float scale = 1;
  };

  /// Errors name file, tensor, what was expected and what was found.
  static Result<std::shared_ptr<const Adapter>> prepare(const LoadedModel& model, io::AdapterFile file);

  /// What it adds to a weight of the model, or to the experts whose first that is; empty where it adds nothing.
  std::span<const Part> parts(const compute::Weight* weight) const {
    const auto found = parts_.find(weight);
    return found != parts_.end() ? std::span<const Part>(found->second) : std::span<const Part>();
  }

  const LoadedModel& model() const { return model_; }
  const io::AdapterFile& file() const { return file_; }
  uint64_t rank() const { return rank_; }              ///< the largest
  uint64_t size_bytes() const { return size_bytes_; }  ///< of the prepared matrices
  uint64_t fingerprint() const { return fingerprint_; }

 private:
  friend class AdapterBinder;
  Adapter(const LoadedModel& model, io::AdapterFile file) : model_(model), file_(std::move(file)) {}

  const LoadedModel& model_;
  io::AdapterFile file_;
  std::vector<std::vector<float>> decoded_;  ///< what prepared matrices were made of that the file has in other types
  std::unordered_map<const compute::Weight*, std::vector<Part>> parts_;
  uint64_t rank_ = 0, size_bytes_ = 0, fingerprint_ = 0;
};

/// An adapter and how much of it counts.
struct AdapterUse {
  std::shared_ptr<const Adapter> adapter;
  float scale = 1;
  bool operator==(const AdapterUse&) const = default;
};

/// Those of one sequence; their order is that of the additions, and so part of the results.
using AdapterList = std::vector<AdapterUse>;

/// Errc::argument where one is missing, is another model's, or has a scale that is no number.
Status check_adapters(const AdapterList& adapters, const LoadedModel& model);

/// Tells lists apart whose cached keys cannot be exchanged; 0 for the empty one.
uint64_t fingerprint(const AdapterList& adapters);

}  // namespace quern::model
