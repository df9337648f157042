// Binding: which tensor of the file goes to which slot. Shapes and types are checked for all of them before any memory
// is taken for weights.
#pragma once

#include <quern/callbacks.h>

#include <cstdint>
#include <string>
#include <vector>

#include "lib/arch/spec.h"
#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/io/reader.h"
#include "lib/model/hparams.h"
#include "lib/model/weights.h"

namespace quern::model {

class RequantizedRows;

/// A slot and what goes there. Of a slot with experts there is one for each, in order.
struct Binding {
  const arch::TensorSpec* spec = nullptr;
  uint32_t layer = 0;
  const io::TensorEntry* entry = nullptr;
  tensor::TensorView view;                       ///< the tensor, or the part of it that is meant
  const io::TensorEntry* scale = nullptr;        ///< where view.scale is from, if the file has it
  const RequantizedRows* requantized = nullptr;  ///< what the view reads, where it is not of the file's type
};

/// The name of the tensor that a specification means, for a layer and an expert.
std::string tensor_name(const arch::TensorSpec& spec, uint32_t layer, uint32_t expert);
/// The shape of the whole tensor in the file.
tensor::Shape tensor_shape(const arch::TensorSpec& spec, const Hparams& hparams, uint32_t layer);
/// How many weights its slot has in a layer.
uint32_t n_weights(const arch::TensorSpec& spec, const Hparams& hparams, uint32_t layer);

/// The rows of a whole matrix, with all that is stacked in it, that one expert's slot takes.
struct RowRange {
  uint64_t first = 0, count = 0;
};
RowRange rows_of(const arch::TensorSpec& spec, const Hparams& hparams, uint32_t layer, uint32_t expert);

/// Whether the tensor's elements share scales.
bool is_quantized(const Binding& binding);

/// What is wrong with one tensor.
struct BindFault {
  std::string tensor;    ///< its name
  bool missing = false;  ///< the file does not have it
  Error error;
};

struct BindingPlan {
  std::vector<Binding> bindings;
  std::vector<BindFault> faults;  ///< in the order in which slots are bound; the first kMaxFaults of them
  uint64_t n_faults = 0;
  std::vector<const io::TensorEntry*> unused;   ///< tensors that no slot asks for
  std::vector<const io::TensorEntry*> skipped;  ///< those of the layers that predict further tokens

  static constexpr size_t kMaxFaults = 64;
};

/// Finds the tensor of every slot and checks its type and shape against the hyper-parameters. A tensor "X.scale" beside
/// a matrix or table "X.weight" holds a number to multiply it by, or one for each of the experts stacked in it.
/// Bindings are of use only where there are no faults.
BindingPlan plan_bindings(const io::ModelFile& file, const arch::ArchSpec& spec, const Hparams& hparams);

struct LoadOptions {
  ProgressFn progress;                          ///< stage "load", in bytes
  CancelToken cancel;                           ///< checked before each tensor
  bool repack = true;                           ///< false: Usage::matmul_in_source, except for what is requantized
  const quant::FormatInfo* quantize = nullptr;  ///< the plan is to be requantize()d so; nullptr: not at all
};

/// The memory that prepare_weights() takes, beyond the file's mapping.
Result<uint64_t> weight_bytes(const io::ModelFile& file, const std::vector<Binding>& bindings,
                              const compute::Backend& backend, bool repack);

/// Prepares the tensors, one after the other, and lets the system drop the pages of those that were copied. Bindings of
/// Role::factors and Role::number are left out: they are the host's.
Result<Weights> prepare_weights(const io::ModelFile& file, const std::vector<Binding>& bindings, uint32_t n_layer,
                                compute::Backend& backend, const LoadOptions& options);

/// The values of a Role::factors tensor, checked to be finite and positive; empty if no binding has that slot.
Result<std::vector<float>> read_factors(const io::ModelFile& file, const std::vector<Binding>& bindings,
                                        arch::Slot slot);

/// The finite value of a Role::number binding.
Result<float> read_number(const io::ModelFile& file, const Binding& binding);

}  // namespace quern::model
