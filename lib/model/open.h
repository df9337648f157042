// Opening: from a file to a model that is ready to run.
#pragma once

#include <quern/callbacks.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/arch/spec.h"
#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/io/reader.h"
#include "lib/model/bind.h"
#include "lib/model/hparams.h"
#include "lib/model/rope.h"
#include "lib/model/weights.h"
#include "lib/text/tokenizer.h"

namespace quern::model {

struct OpenOptions {
  bool use_mmap = true;
  bool vocab_only = false;  ///< metadata and tokenizer; of any architecture
  LogFn log;
  LoadOptions load;
};

/// Everything about one model file. Const after open() as a rule, so that any number of threads may use it. The mapping
/// stays: weights may point into it.
struct LoadedModel {
  io::ModelFile file;
  std::string architecture;
  std::unique_ptr<text::Tokenizer> tokenizer;
  /// The rest is set unless the model was opened for its vocabulary alone; `hparams` also then, where they could be
  /// read.
  const arch::ArchSpec* spec = nullptr;
  std::optional<Hparams> hparams;
  RopeTables ropes;
  Weights weights;
  compute::Backend* backend = nullptr;  ///< outlives the model

  uint64_t fingerprint = 0;  ///< of architecture, tensor names, types, shapes, samples of their bytes, the type
                             ///< that they were requantized to

  // Facts for inspection.
  uint64_t n_parameters = 0;  ///< elements of all tensors
  uint64_t tensor_bytes = 0;  ///< in the file
  std::string file_type;      ///< the commonest tensor type by bytes

  bool runnable() const { return !weights.empty(); }
  /// Whether it predicts tokens one after the other; a model that does not makes embeddings alone.
  bool makes_logits() const { return hparams->causal && weights.find(arch::Slot::output) != nullptr; }
};

/// What opening looks at, in this order.
enum class OpenStep { file, architecture, tokenizer, parameters, tensors };

/// One thing for which a file cannot be opened.
struct OpenFault {
  OpenStep step = OpenStep::file;
  Error error;
  std::string tensor;    ///< the name, where it is about one
  bool missing = false;  ///< the file does not have that tensor
};

/// All that opening finds out before it takes memory for weights. The model is as far as it could be read.
struct Survey {
  std::unique_ptr<LoadedModel> model;
  BindingPlan plan;
  std::vector<OpenFault> faults;  ///< open() fails with the first
  uint64_t n_faults = 0;          ///< more than `faults` where many tensors are at fault
};
Survey survey(const std::string& path, compute::Backend& backend, const OpenOptions& options = {});

/// Errors name the file and the key or tensor at fault. `backend` must outlive the model.
Result<std::unique_ptr<LoadedModel>> open(const std::string& path, compute::Backend& backend,
                                          const OpenOptions& options = {});

}  // namespace quern::model
