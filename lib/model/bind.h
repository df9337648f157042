// Binding: which tensor of the file goes to which slot. Shapes and types are checked for all of them before any memory
// is taken for weights.
#pragma once

#include <quern/callbacks.h>

#include <cstdint>
#include <vector>

#include "lib/arch/spec.h"
#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/io/reader.h"
#include "lib/model/hparams.h"
#include "lib/model/weights.h"

namespace quern::model {

/// A slot and what goes there. Of a slot with experts there is one for each, in order.
struct Binding {
  const arch::TensorSpec* spec = nullptr;
  uint32_t layer = 0;
  const io::TensorEntry* entry = nullptr;
  tensor::TensorView view;                 ///< the tensor, or the part of it that is meant
  const io::TensorEntry* scale = nullptr;  ///< where view.scale is from, if the file has it
};

/// Finds the tensor of every slot and checks its type and shape against the hyper-parameters. A tensor "X.scale" beside
/// a matrix or table "X.weight" holds a number to multiply it by, or one for each of the experts stacked in it. Tensors
/// that no slot asks for are passed over, with one log message at debug level.
Result<std::vector<Binding>> plan_bindings(const io::ModelFile& file, const arch::ArchSpec& spec,
                                           const Hparams& hparams, const LogFn& log);

struct LoadOptions {
  ProgressFn progress;  ///< stage "load", in bytes
  CancelToken cancel;   ///< checked before each tensor
  bool repack = true;   ///< false: Usage::matmul_in_source
};

/// Prepares the tensors, one after the other, and lets the system drop the pages of those that were copied. Bindings of
/// Role::factors are left out: they are the host's.
Result<Weights> prepare_weights(const io::ModelFile& file, const std::vector<Binding>& bindings, uint32_t n_layer,
                                compute::Backend& backend, const LoadOptions& options);

/// The values of a Role::factors tensor, checked to be finite and positive; empty if no binding has that slot.
Result<std::vector<float>> read_factors(const io::ModelFile& file, const std::vector<Binding>& bindings,
                                        arch::Slot slot);

}  // namespace quern::model
