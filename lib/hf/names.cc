#include "lib/hf/names.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <set>
#include <string>

#include "lib/hf/edits.h"
#include "lib/hf/fields.h"
#include "lib/hf/matrix.h"
#include "lib/hf/rope.h"
#include "lib/hf/row_maps.h"
#include "lib/io/names.h"
#include "lib/quant/format.h"
#include "lib/quant/rows.h"

namespace quern::hf {
namespace {

using arch::HfForm;
using arch::HfRows;
using arch::HfShape;
using arch::HfTensor;
using arch::HfValue;
using tensor::DType;

constexpr uint64_t kMaxLayers = 4096, kMaxRotated = 1 << 16;

bool matches(std::string_view text, std::string_view pattern) {
  size_t i = 0, j = 0, star = std::string_view::npos, mark = 0;
  while (i < text.size()) {
    if (j < pattern.size() && pattern[j] == '*') {
      star = j++;
      mark = i;
    } else if (j < pattern.size() && pattern[j] == text[i]) {
      ++i, ++j;
    } else if (star != std::string_view::npos) {
      j = star + 1;
      i = ++mark;
    } else {
      return false;
    }
  }
  while (j < pattern.size() && pattern[j] == '*') ++j;
  return j == pattern.size();
}

/// The pattern with numbers in the place of "{}", the first one before the second.
std::string filled(std::string_view pattern, uint64_t first, uint64_t second = 0) {
  std::string out;
  for (const uint64_t number : {first, second}) {
    const size_t at = pattern.find("{}");
    if (at == std::string_view::npos) break;
    out += cat(pattern.substr(0, at), number);
    pattern.remove_prefix(at + 2);
  }
  out += pattern;
  return out;
}

size_t holes(std::string_view pattern) {
  size_t n = 0;
  for (size_t at = pattern.find("{}"); at != std::string_view::npos; at = pattern.find("{}", at + 2)) ++n;
  return n;
}

class Reader {
 public:
  Reader(const Checkpoint& checkpoint, const arch::HfArch& table, const io::MetaTable& meta)
      : checkpoint_(checkpoint),
        table_(table),
        meta_(meta),
        fields_(checkpoint.config_at()),
        numbers_(meta, table.spec->name) {}

  Result<Tensors> read() {
    QUERN_TRY(n_layers_, numbers_.get("block_count", 0));
    QUERN_ENSURE(n_layers_ <= kMaxLayers, Errc::unsupported, meta_.file(), ": expected at most ", kMaxLayers,
                 " layers, found ", n_layers_);
    QUERN_CHECK(find_prefix());
    QUERN_TRY(const bool tied, is_tied());
    QUERN_CHECK(add_rope_tensors());
    const auto per_layer = [](const HfTensor& tensor) { return holes(tensor.name) > 0; };
    const auto& tensors = table_.tensors;
    const auto first = std::find_if(tensors.begin(), tensors.end(), per_layer);
    for (auto tensor = tensors.begin(); tensor != first; ++tensor) QUERN_CHECK(add(*tensor, 0));
    for (uint32_t layer = 0; layer < n_layers_; ++layer) {
      for (auto tensor = first; tensor != tensors.end(); ++tensor) {
        if (per_layer(*tensor)) QUERN_CHECK(add(*tensor, layer));
      }
    }
    for (auto tensor = first; tensor != tensors.end(); ++tensor) {
      if (per_layer(*tensor)) continue;
      if (tied && std::string_view(tensor->name) == "output")
        QUERN_CHECK(pass_over(*tensor));
      else
        QUERN_CHECK(add(*tensor, 0));
    }
    QUERN_CHECK(check_all_used());
    return std::move(out_);
  }

 private:
  std::string place_of(std::string_view array) const { return cat(checkpoint_.path, ": ", io::quoted(array)); }

  std::string place(const io::SafeTensor& array) const {
    return cat(checkpoint_.files[array.file_index].path(), ": array ", io::quoted(array.name), ": ");
  }

  /// The prefix with which there are layers.
  Status find_prefix() {
    for (const std::string_view prefix : table_.prefixes) {
      const std::string begin = cat(prefix, table_.layers, "0.");
      for (const io::SafeTensor& array : checkpoint_.arrays.entries()) {
        if (!array.name.starts_with(begin)) continue;
        prefix_ = prefix;
        return {};
      }
    }
    return fail(Errc::format, checkpoint_.path, ": expected arrays '", table_.prefixes.front(), table_.layers,
                "0....', found none");
  }

  /// Whether embeddings serve as the output, whatever else the checkpoint has.
  Result<bool> is_tied() const {
    QUERN_TRY(const auto flag, fields_.at("tie_word_embeddings").boolean());
    return flag.value_or(false);
  }

  std::string source_name(const HfTensor& tensor, uint64_t layer, uint64_t expert = 0) const {
    const std::string_view source = tensor.source;
    if (source.starts_with('/')) return filled(source.substr(1), layer, expert);
    if (holes(source) == 0) return cat(prefix_, source);
    return cat(prefix_, table_.layers, filled(source, layer, expert));
  }

  Status add(const HfTensor& tensor, uint32_t layer) {
    const std::string name = filled(tensor.name, layer);
    const bool array = tensor.form == HfForm::array || tensor.form == HfForm::vectors;
    if (out_.table.find(array ? name : cat(name, ".weight")) != nullptr) return {};  // another source was there
    if (array || tensor.form == HfForm::norm) return add_arrays(tensor, name, layer);
    QUERN_TRY(auto parts, matrices(tensor, layer));
    if (parts.empty()) return {};
    for (const Matrix& part : parts) used_.insert(part.arrays.begin(), part.arrays.end());
    QUERN_CHECK(add_matrix(tensor, name, layer, parts));
    if (const io::SafeTensor* bias = checkpoint_.arrays.find(cat(source_name(tensor, layer), ".bias")))
      return add_vector(tensor, cat(name, ".bias"), *bias, layer);
    return {};
  }

  Status add_arrays(const HfTensor& tensor, const std::string& name, uint32_t layer) {
    const std::string source = source_name(tensor, layer);
    const bool norm = tensor.form == HfForm::norm;
    const io::SafeTensor* array = checkpoint_.arrays.find(norm ? cat(source, ".weight") : source);
    if (array == nullptr && norm) array = checkpoint_.arrays.find(cat(source, ".gamma"));  // of old TensorFlow models
    if (array == nullptr) return {};
    QUERN_CHECK(add_vector(tensor, norm ? cat(name, ".weight") : name, *array, layer));
    const io::SafeTensor* bias = norm ? checkpoint_.arrays.find(cat(source, ".bias")) : nullptr;
    if (bias == nullptr && norm) bias = checkpoint_.arrays.find(cat(source, ".beta"));
    HfTensor as_stored = tensor;
    as_stored.value = HfValue::as_is;
    return bias != nullptr ? add_vector(as_stored, cat(name, ".bias"), *bias, layer) : Status{};
  }

  /// The matrices of a source: one, a stack in one array, or those of all experts.
  Result<std::vector<Matrix>> matrices(const HfTensor& tensor, uint32_t layer) const {
    std::vector<Matrix> out;
    if (holes(tensor.source) < 2) {
      QUERN_TRY(auto matrix, read_matrix(checkpoint_, source_name(tensor, layer)));
      if (matrix) out.push_back(std::move(*matrix));
      return out;
    }
    if (meta_.find(cat(table_.spec->name, ".expert_count")) == nullptr) return out;
    QUERN_TRY(const uint64_t n, numbers_.get("expert_count", layer));
    for (uint64_t expert = 0; expert < n; ++expert) {
      const std::string source = source_name(tensor, layer, expert);
      QUERN_TRY(auto matrix, read_matrix(checkpoint_, source));
      if (!matrix && expert == 0) return out;
      QUERN_ENSURE(matrix.has_value(), Errc::format, checkpoint_.path, ": expected matrices of ", n,
                   " experts, but there is no array ", io::quoted(cat(source, ".weight")));
      out.push_back(std::move(*matrix));
    }
    return out;
  }

  Status add_matrix(const HfTensor& tensor, const std::string& name, uint32_t layer, std::vector<Matrix>& parts) {
    const std::string source = source_name(tensor, layer);
    const bool stored_plain = checkpoint_.arrays.find(source) != nullptr;
    if (tensor.shape == HfShape::inputs_first && stored_plain)
      for (Matrix& part : parts) part = transposed(checkpoint_, std::move(part));
    QUERN_TRY(const RowMap map, row_map(tensor, rows_of_each(parts[0]), numbers_, layer, place_of(source)));
    const bool whole = parts.size() == 1 && tensor.rows == HfRows::all;
    Stack stack{parts[0], {}};
    if (!whole) {
      QUERN_TRY(stack, stacked(checkpoint_, parts, map, name));
    }
    Matrix& matrix = stack.matrix;
    if (tensor.rows == HfRows::latent_keys || tensor.rows == HfRows::latent_values)
      QUERN_CHECK(by_heads(matrix, layer));
    if (tensor.shape == HfShape::swapped) matrix = transposed(checkpoint_, std::move(matrix));
    if (tensor.shape == HfShape::delta_value_columns) {
      QUERN_TRY(const auto order, numbers_.delta_value_heads());
      QUERN_ENSURE(matrix.view.shape.cols() % order.size() == 0, Errc::format, checkpoint_.path, ": array ",
                   io::quoted(source), ": expected a multiple of ", order.size(), " columns, found ",
                   matrix.view.shape.cols());
      matrix = with_runs(checkpoint_, std::move(matrix), order);
    }
    if (tensor.form == HfForm::exact) {
      matrix = in_memory(std::move(matrix));
      if (matrix.view.shape.rank == 2 && matrix.view.shape.ne[1] == 1)
        matrix.view.shape.rank = 1;  // a score of one thing
    }
    if (!stack.scales.empty()) {
      const tensor::Shape shape{{stack.scales.size(), 1, 1, 1}, 1};
      QUERN_CHECK(put_floats(cat(name, ".scale"), shape, std::move(stack.scales)));
    }
    return put(cat(name, ".weight"), std::move(matrix));
  }

  Status by_heads(Matrix& matrix, uint32_t layer) const {
    QUERN_TRY(const uint64_t heads, numbers_.get("attention.head_count", layer));
    tensor::Shape& shape = matrix.view.shape;
    shape = {{shape.cols(), shape.rows() / heads, heads, 1}, 3};
    return {};
  }

  /// As F32 that a pointer leads to.
  Matrix in_memory(Matrix matrix) {
    if (matrix.view.type == DType::f32 && matrix.view.data != nullptr && matrix.view.scale == 1 &&
        matrix.view.column_order == nullptr)
      return matrix;
    auto elements = std::make_shared<std::vector<float>>(matrix.view.shape.elements());
    quant::RowReader(matrix.view, *quant::find_format(matrix.view.type))
        .read(0, matrix.view.shape.rows(), elements->data());
    matrix.view = float_view(matrix.view.shape, elements->data());
    matrix.keep = {std::move(elements)};
    return matrix;
  }

  static tensor::TensorView float_view(const tensor::Shape& shape, const float* data) {
    tensor::TensorView view;
    view.data = reinterpret_cast<const std::byte*>(data);
    view.shape = shape;
    view.row_bytes = shape.cols() * sizeof(float);
    return view;
  }

  /// Whether the architecture has such a tensor. Layers that predict further tokens are not run: they have what they
  /// have.
  bool has_place(std::string_view name) const {
    if (name.find(".nextn.") != std::string_view::npos) return true;
    const auto& tensors = table_.spec->tensors;
    return std::any_of(tensors.begin(), tensors.end(), [&](const arch::TensorSpec& tensor) {
      std::string pattern = tensor.name;
      if (const size_t at = pattern.find("{}"); at != std::string::npos) pattern.replace(at, 2, "*");
      return matches(name, pattern) || name.ends_with(".scale");
    });
  }

  /// Norms, biases and the like, in F32: as they lie in the file, or edited in memory.
  Status add_vector(const HfTensor& tensor, const std::string& name, const io::SafeTensor& array, uint32_t layer) {
    if (!has_place(name)) return {};  // an error, in the end
    used_.insert(array.name);
    QUERN_ENSURE(is_plain(array), Errc::unsupported, place(array), "expected F32, F16 or BF16, found ",
                 io::safe_type_name(array.type));
    std::vector<uint64_t> extents;
    for (const uint64_t extent : array.shape) {
      if (extent != 1) extents.push_back(extent);
    }
    QUERN_ENSURE(extents.size() <= 2 && array.elements() > 0, Errc::format, place(array),
                 "expected a vector, found an array of ", array.shape.size(), " dimensions");
    if (extents.empty()) extents.push_back(1);
    // A group is what the rows are taken of: all there is, or the vector of each expert.
    const bool grouped = tensor.form == HfForm::vectors && extents.size() == 2;
    const uint64_t groups = grouped ? extents[0] : 1, width = !grouped && extents.size() == 2 ? extents[1] : 1;
    const uint64_t rows = array.elements() / groups / width;
    QUERN_TRY(const RowMap map, row_map(tensor, rows, numbers_, layer, place_of(array.name)));
    tensor::Shape shape{{map.rows(), groups, 1, 1}, groups > 1 ? 2u : 1u};
    if (width > 1) shape = {{width, map.rows(), 1, 1}, 2};
    if (array.type == io::SafeType::f32 && map.contiguous() && groups == 1 && tensor.value == HfValue::as_is) {
      Matrix matrix;
      matrix.view = float_view(shape, nullptr);
      matrix.view.data = array.bytes.data() + map.at(0) * width * sizeof(float);
      matrix.file_index = array.file_index;
      return put(name, std::move(matrix));
    }
    std::vector<float> stored(array.elements()), out(map.rows() * groups * width);
    const DType type = array.type == io::SafeType::f32   ? DType::f32
                       : array.type == io::SafeType::f16 ? DType::f16
                                                         : DType::bf16;
    quant::find_format(type)->decode(array.bytes.data(), stored.data(), stored.size());
    for (uint64_t i = 0; i < out.size(); ++i) {
      const uint64_t row = i / width, group = row / map.rows();
      const float x = stored[(group * rows + map.at(row % map.rows())) * width + i % width];
      out[i] = edited(tensor.value, x);
    }
    return put_floats(name, shape, std::move(out));
  }

  static float edited(HfValue value, float x) {
    if (value == HfValue::plus_one) return x + 1;
    return value == HfValue::minus_exp ? -std::exp(x) : x;
  }

  Status put_floats(const std::string& name, const tensor::Shape& shape, std::vector<float> values) {
    auto kept = std::make_shared<std::vector<float>>(std::move(values));
    Matrix matrix;
    matrix.view = float_view(shape, kept->data());
    matrix.keep.push_back(std::move(kept));
    return put(name, std::move(matrix));
  }

  Status put(const std::string& name, Matrix matrix) {
    out_.keep.insert(out_.keep.end(), matrix.keep.begin(), matrix.keep.end());
    return out_.table.add({name, matrix.view, static_cast<uint32_t>(matrix.view.type), matrix.file_index});
  }

  Status add_rope_tensors() {
    const std::string prefix = cat(table_.spec->name, ".rope.");
    QUERN_TRY(const auto base, meta_.get_float(cat(prefix, "freq_base")));
    QUERN_TRY(const auto n_rot, meta_.get_uint(cat(prefix, "dimension_count")));
    QUERN_ENSURE(n_rot.value_or(0) <= kMaxRotated, Errc::unsupported, meta_.file(), ": expected at most ", kMaxRotated,
                 " rotated elements, found ", n_rot.value_or(0));
    QUERN_TRY(auto tensors, rope_tensors(fields_, table_, base.value_or(10000), n_rot.value_or(0)));
    for (RopeTensor& made : tensors) {
      QUERN_ENSURE(!made.elements.empty(), Errc::format, meta_.file(), ": key ",
                   io::quoted(cat(prefix, "dimension_count")), ": expected at least 2, found ", n_rot.value_or(0));
      const tensor::Shape shape{{made.elements.size(), 1, 1, 1}, 1};
      QUERN_CHECK(put_floats(made.name, shape, std::move(made.elements)));
    }
    return {};
  }

  /// Its arrays are not needed.
  Status pass_over(const HfTensor& tensor) {
    QUERN_TRY(const auto parts, matrices(tensor, 0));
    for (const Matrix& part : parts) used_.insert(part.arrays.begin(), part.arrays.end());
    return {};
  }

  /// Whether the array is of a layer behind the last.
  bool is_of_further_layer(std::string_view name) const {
    const std::string begin = cat(prefix_, table_.layers);
    if (!name.starts_with(begin)) return false;
    uint64_t layer = 0;
    const auto [end, error] = std::from_chars(name.data() + begin.size(), name.data() + name.size(), layer);
    return error == std::errc() && layer >= n_layers_;
  }

  /// An array that nothing takes is a part of the model that would be missing.
  Status check_all_used() const {
    for (const io::SafeTensor& array : checkpoint_.arrays.entries()) {
      const auto ignored = [&](std::string_view pattern) { return matches(array.name, pattern); };
      if (used_.count(array.name) > 0 || std::any_of(table_.ignored.begin(), table_.ignored.end(), ignored) ||
          is_of_further_layer(array.name))
        continue;
      return fail(Errc::unsupported, place(array), "the architecture ", io::quoted(table_.spec->name),
                  " has no place for it");
    }
    return {};
  }

  const Checkpoint& checkpoint_;
  const arch::HfArch& table_;
  const io::MetaTable& meta_;
  Fields fields_;
  ModelNumbers numbers_;
  std::string prefix_;
  uint64_t n_layers_ = 0;
  std::set<std::string, std::less<>> used_;
  Tensors out_;
};

}  // namespace

Result<Tensors> read_tensors(const Checkpoint& checkpoint, const arch::HfArch& table, const io::MetaTable& meta) {
  return Reader(checkpoint, table, meta).read();
}

}  // namespace quern::hf
