// Second moments of a model's activations on a text, collected for as many tensors at a time as memory is granted for.
#pragma once

#include <quern/model.h>
#include <quern/quantize.h>

#include <memory>
#include <string>
#include <vector>

#include "lib/context/context.h"
#include "lib/convert/activations.h"
#include "lib/convert/moments.h"
#include "lib/convert/quantize.h"

namespace quern::engine {

/// Reads the text again whenever a tensor is asked for whose moments are not at hand, and then collects those of the
/// tensors that follow it in the file too.
class Calibration final : public convert::MomentSource {
 public:
  /// `model` is the source in full precision; `order`: the names of the tensors that will be asked for.
  static Result<std::unique_ptr<Calibration>> create(const Model& model, const QuantizeOptions& options,
                                                     std::vector<std::string> order);
  Result<const convert::Moments*> moments_of(const io::TensorEntry& tensor) override;

 private:
  using Collector = convert::ActivationCollector<convert::Moments>;
  Calibration(const Model& model, const QuantizeOptions& options, std::vector<std::string> order)
      : model_(model), options_(options), order_(std::move(order)) {}
  const convert::Moments* find(const std::string& name) const;
  Status collect(size_t first);
  Status read_text(context::Context& context) const;

  Model model_;
  const QuantizeOptions& options_;
  std::vector<std::string> order_;
  std::vector<Token> tokens_;
  std::vector<Collector::Group> groups_;
};

}  // namespace quern::engine
