#include "lib/hf/matrix.h"

#include <utility>

#include "lib/io/names.h"
#include "lib/tensor/dtype.h"

namespace quern::hf {
namespace {

using Reader = Result<std::optional<Matrix>> (*)(const Checkpoint&, std::string_view module);

/// The forms that a matrix may have, tried in turn.
constexpr Reader kReaders[] = {
    read_plain_matrix,
};

constexpr std::pair<io::SafeType, tensor::DType> kPlainTypes[] = {
    {io::SafeType::f32, tensor::DType::f32},
    {io::SafeType::f16, tensor::DType::f16},
    {io::SafeType::bf16, tensor::DType::bf16},
};

}  // namespace

bool is_plain(const io::SafeTensor& array) {
  for (const auto& [stored, type] : kPlainTypes) {
    if (stored == array.type) return true;
  }
  return false;
}

Result<std::optional<Matrix>> read_plain_matrix(const Checkpoint& checkpoint, std::string_view module) {
  const io::SafeTensor* array = checkpoint.arrays.find(cat(module, ".weight"));
  if (array == nullptr) array = checkpoint.arrays.find(module);
  if (array == nullptr || !is_plain(*array) || array->shape.size() < 2 || array->shape.size() > 3)
    return std::optional<Matrix>();
  Matrix out;
  for (const auto& [stored, type] : kPlainTypes) {
    if (stored == array->type) out.view.type = type;
  }
  const auto rank = static_cast<uint32_t>(array->shape.size());
  out.view.shape.rank = rank;
  for (uint32_t i = 0; i < rank; ++i) out.view.shape.ne[i] = array->shape[rank - 1 - i];
  QUERN_ENSURE(out.view.shape.elements() > 0, Errc::format, checkpoint.files[array->file_index].path(), ": array ",
               io::quoted(array->name), ": expected elements, found none: ", to_string(out.view.shape));
  out.view.row_bytes = out.view.shape.cols() * (io::safe_type_bits(array->type) / 8);
  out.view.data = array->bytes.data();
  out.file_index = array->file_index;
  out.arrays.push_back(array->name);
  return std::optional<Matrix>(std::move(out));
}

Result<std::optional<Matrix>> read_matrix(const Checkpoint& checkpoint, std::string_view module) {
  for (const Reader read : kReaders) {
    QUERN_TRY(auto matrix, read(checkpoint, module));
    if (matrix) return matrix;
  }
  return std::optional<Matrix>();
}

}  // namespace quern::hf
