// The matrices of a checkpoint, in whatever form it holds them: plain numbers, or one of the quantized forms, which
// keep their own arithmetic.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"
#include "lib/hf/checkpoint.h"
#include "lib/tensor/view.h"

namespace quern::hf {

/// Rows are output features, columns input features, as in a GGUF. The type may be one that GGUF lacks. Of an array
/// with three dimensions: a stack of matrices, one for each of the first dimension, and the view has rank 3.
struct Matrix {
  tensor::TensorView view;
  std::vector<std::shared_ptr<const void>> keep;  ///< what the view points to besides the checkpoint's files
  std::vector<std::string> arrays;                ///< the names of the arrays that it is made of
  uint32_t file_index = 0;                        ///< where view.data is, if there is data
  std::string note;  ///< where its numbers are not run as they are stored: why; for the log
};

/// The matrix of the module X ("model.layers.0.self_attn.q_proj"): X.weight, or X.qweight and its companions, ..., or
/// the array X where that has two or three dimensions. nullopt where the checkpoint has none. Errors name file, array
/// and value.
Result<std::optional<Matrix>> read_matrix(const Checkpoint& checkpoint, std::string_view module);

/// The plain one: an array of F32, F16 or BF16.
Result<std::optional<Matrix>> read_plain_matrix(const Checkpoint& checkpoint, std::string_view module);

/// The array of that name is of such a type.
bool is_plain(const io::SafeTensor& array);

}  // namespace quern::hf
