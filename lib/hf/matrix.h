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

/// Rows are output features, columns input features, as in a GGUF. The type may be one that GGUF lacks. Stacked experts
/// ("mlp.experts.gate_up_proj") are one matrix of three dimensions, ne[2] experts: view.slice(e * ne[1], ne[1]) is one.
/// Valid as long as the checkpoint's files are open, wherever they are moved to; `arrays` and `config` may go.
struct Matrix {
  tensor::TensorView view;
  std::vector<std::shared_ptr<const void>> keep;  ///< what the view points to besides the checkpoint's files
  std::vector<std::string> arrays;                ///< the names of the arrays that it is made of
  uint32_t file_index = 0;                        ///< where view.data is, if there is data
  std::string note;  ///< where its numbers are not run as they are stored: why; for the log
};

/// The matrix of the module X ("model.layers.0.self_attn.q_proj"): X.weight, or X itself, or X.qweight and its
/// companions, ... nullopt where the checkpoint has none, or numbers in one or more than three dimensions. Errors name
/// file, array and value.
Result<std::optional<Matrix>> read_matrix(const Checkpoint& checkpoint, std::string_view module);

/// The array is of F32, F16 or BF16.
bool is_plain(const io::SafeTensor& array);

}  // namespace quern::hf
