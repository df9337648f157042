// The forms in which checkpoints of other tools hold matrices: bitsandbytes' and GPTQ's. Which arrays there are for a
// module, what is in them, and what config.json says of it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"
#include "lib/base/thread_pool.h"
#include "lib/convert/moments.h"
#include "lib/io/json.h"
#include "lib/io/safetensors_writer.h"
#include "lib/quant/format.h"
#include "lib/tensor/view.h"

namespace quern::convert {

/// A module's matrix: rows are output features.
struct SourceMatrix {
  std::string place;   ///< for messages: file and array
  std::string module;  ///< "model.layers.0.mlp.up_proj"
  tensor::TensorView view;
  const quant::FormatInfo* format = nullptr;  ///< of the view's type
  const Moments* moments = nullptr;           ///< of its inputs, where the form makes use of them
};

/// Works on rows of a matrix on all threads.
class RowWork {
 public:
  /// `advance` is told of rows that are done, and may end the work.
  using Advance = std::function<Status(const SourceMatrix& matrix, uint64_t begin, uint64_t end)>;
  RowWork(base::ThreadPool& pool, Advance advance) : pool_(pool), advance_(std::move(advance)) {}

  /// Calls `body` for pieces of `n_rows` rows (the last one may be shorter), in float32, from all threads, for all rows
  /// of one step; then `done` for that step, whose first row is a multiple of n_rows.
  using Body = std::function<void(float* rows, uint64_t first, uint64_t n, size_t thread)>;
  using Done = std::function<Status(uint64_t begin, uint64_t end)>;
  Status run(const SourceMatrix& matrix, uint64_t n_rows, const Body& body, const Done& done);

  size_t n_threads() const { return pool_.n_threads(); }
  /// How many rows at most a step has.
  static uint64_t step_rows(const SourceMatrix& matrix, uint64_t n_rows);

 private:
  base::ThreadPool& pool_;
  Advance advance_;
};

class MatrixForm {
 public:
  virtual ~MatrixForm() = default;
  /// As in QuantizeOptions::type.
  virtual std::string_view name() const = 0;
  /// What stands against holding a matrix of this shape so, or nullptr.
  virtual const char* fault(const tensor::Shape& shape) const = 0;
  /// The arrays, "X.qweight" and the like, of a module.
  virtual std::vector<io::SafeArray> arrays(const SourceMatrix& matrix) const = 0;
  /// Their contents. Errors name the matrix, row and column of a number that cannot be stored.
  virtual Status write(const SourceMatrix& matrix, RowWork& work, const io::ArraySink& sink) const = 0;
  /// Of config.json: "quantization_config". `left` are linear modules that stay as they are, `type` is the source's
  /// ("bfloat16").
  virtual io::Json config(const std::vector<std::string>& left, std::string_view type) const = 0;
  /// Whether moments of the inputs make it better.
  virtual bool uses_moments() const { return false; }
  /// The name of a file that has the same settings, for tools that look there; may be empty.
  virtual std::string_view config_file() const { return {}; }
};

struct FormOptions {
  uint32_t group_size = 128;  ///< GPTQ: columns that share a scale
  bool symmetric = true;      ///< GPTQ: all zero points in the middle
};

struct FormInfo {
  std::string_view name, description;
  double bits_per_weight;
  Result<std::unique_ptr<MatrixForm>> (*make)(const FormOptions& options);
};
std::span<const FormInfo> matrix_forms();
/// By name, in any case; nullptr where there is none.
const FormInfo* find_form(std::string_view name);

/// "bfloat16", as PyTorch calls a plain type.
std::string_view torch_type(tensor::DType type);

/// For matrix_form.cc: the makers of the families.
Result<std::unique_ptr<MatrixForm>> make_bnb_nf4(const FormOptions& options);
Result<std::unique_ptr<MatrixForm>> make_bnb_nf4_dq(const FormOptions& options);
Result<std::unique_ptr<MatrixForm>> make_bnb_fp4(const FormOptions& options);
Result<std::unique_ptr<MatrixForm>> make_bnb_fp4_dq(const FormOptions& options);
Result<std::unique_ptr<MatrixForm>> make_bnb_int8(const FormOptions& options);
Result<std::unique_ptr<MatrixForm>> make_gptq_int4(const FormOptions& options);

}  // namespace quern::convert
