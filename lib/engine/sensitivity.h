// How much each tensor's rounding errors change what a model predicts, measured.
#pragma once

#include <quern/quantize.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/thread_pool.h"
#include "lib/context/context.h"
#include "lib/convert/quantize.h"
#include "lib/model/open.h"

namespace quern::engine {

/// Holds the source model and its predictions on a short text. A tensor is exchanged for its quantized self, the model
/// reads the text again, and the tensor comes back.
class Sensitivity {
 public:
  /// Of options.calibration the first options.calibration_ctx tokens are read, twice that at most kMaxTokens.
  static Result<std::unique_ptr<Sensitivity>> create(const Runtime& runtime, const std::string& path,
                                                     const QuantizeOptions& options, base::ThreadPool& pool);
  /// The mean KL divergence, in nats, of the model with this tensor as `target` says; nullopt for tensors that are not
  /// one whole weight (stacked experts, fused matrices).
  Result<std::optional<double>> of(const convert::TensorTarget& target);

 private:
  static constexpr size_t kMaxTokens = 1024;
  explicit Sensitivity(base::ThreadPool& pool) : pool_(pool) {}
  Result<double> divergence();
  Status read(size_t window);

  base::ThreadPool& pool_;
  std::unique_ptr<model::LoadedModel> model_;
  std::unique_ptr<context::Context> context_;
  std::vector<std::vector<Token>> windows_;
  std::vector<float> log_p_;  ///< [tokens, vocabulary]: of the unchanged model
};

}  // namespace quern::engine
