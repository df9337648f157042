#include "lib/hf/module.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/base/half.h"
#include "lib/io/names.h"
#include "lib/quant/format.h"

namespace quern::hf {

using io::SafeTensor;
using io::SafeType;

const SafeTensor* Module::find(std::string_view suffix) const { return checkpoint_->arrays.find(cat(name_, suffix)); }

const SafeTensor* Module::of_weight(std::string_view suffix) const {
  const SafeTensor* const array = find(cat(".weight", suffix));
  return array != nullptr ? array : find(suffix);
}

Pages Module::pages(const SafeTensor& array) const {
  const auto& files = checkpoint_->files;
  return Pages(array.file_index < files.size() && files[array.file_index].mapped());
}

std::string Module::place(const SafeTensor& array) const {
  const auto& files = checkpoint_->files;
  return cat(array.file_index < files.size() ? files[array.file_index].path() : checkpoint_->path, ": array ",
             io::quoted(array.name));
}

Error Module::mismatch(const SafeTensor& array, std::string_view expected, std::string_view found) const {
  return fail(Errc::format, place(array), ": expected ", expected, ", found ", found);
}

Error Module::wrong_form(const SafeTensor& array, std::string_view expected) const {
  return mismatch(array, expected, cat(io::safe_type_name(array.type), " ", shape_text(array.shape)));
}

Result<const SafeTensor*> Module::need(const SafeTensor* array, const SafeTensor& given,
                                       std::string_view missing) const {
  QUERN_ENSURE(array != nullptr, Errc::format, place(given), ": expected ", io::quoted(cat(name_, missing)),
               " beside it, found no such array");
  return array;
}

Status Module::check_form(const SafeTensor& array, SafeType type, std::span<const uint64_t> shape) const {
  if (array.type == type && std::equal(shape.begin(), shape.end(), array.shape.begin(), array.shape.end())) return {};
  return wrong_form(array, cat(io::safe_type_name(type), " ", shape_text(shape)));
}

Result<Numbers> Module::numbers(const SafeTensor& array) const {
  const auto numbers = Numbers::of(array);
  if (!numbers) return wrong_form(array, "floating-point numbers");
  for (uint64_t i = 0; i < numbers->size(); ++i) {
    const float x = (*numbers)[i];
    if (!std::isfinite(x)) return mismatch(array, "finite numbers", cat(x, " at element ", i));
  }
  pages(array).release(array.bytes);
  return *numbers;
}

Result<float> Module::number(const SafeTensor& array) const {
  QUERN_TRY(const Numbers one, numbers(array));
  if (one.size() != 1) return wrong_form(array, "one number");
  return one[0];
}

namespace {

template <class T>
T load(const std::byte* bytes) {
  T out;
  std::memcpy(&out, bytes, sizeof out);
  return out;
}

struct NumberRow {
  SafeType type;
  uint32_t size;
  float (*load)(const std::byte*);
};
constexpr NumberRow kNumberTypes[] = {
    {SafeType::f32, 4, [](const std::byte* p) { return load<float>(p); }},
    {SafeType::f16, 2, [](const std::byte* p) { return base::f16_to_f32(load<uint16_t>(p)); }},
    {SafeType::bf16, 2, [](const std::byte* p) { return base::bf16_to_f32(load<uint16_t>(p)); }},
    {SafeType::f64, 8, [](const std::byte* p) { return static_cast<float>(load<double>(p)); }},
    // E8M0: a power of two; 255 is no number.
    {SafeType::f8_e8m0, 1,
     [](const std::byte* p) {
       const auto e = static_cast<uint8_t>(*p);
       return e == 255 ? NAN : std::ldexp(1.0f, int{e} - 127);
     }},
};

}  // namespace

std::optional<Numbers> Numbers::of(const SafeTensor& array) {
  const auto row = std::find_if(std::begin(kNumberTypes), std::end(kNumberTypes),
                                [&](const NumberRow& r) { return r.type == array.type; });
  if (row == std::end(kNumberTypes)) return std::nullopt;
  Numbers out;
  out.bytes_ = array.bytes.data();
  out.n_ = array.elements();
  out.load_ = row->load;
  out.size_ = row->size;
  out.halves_ = array.type == SafeType::f16;
  return out;
}

std::string shape_text(std::span<const uint64_t> shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += cat(i ? ", " : "", shape[i]);
  return out + "]";
}

std::optional<Extents> extents_of(const SafeTensor& array, uint64_t packed) {
  const auto& shape = array.shape;
  if (shape.size() < 2 || shape.size() > 3 || array.elements() == 0) return std::nullopt;
  Extents out;
  out.rank = static_cast<uint32_t>(shape.size());
  out.cols = shape[shape.size() - 1] * packed;
  out.rows = shape[shape.size() - 2];
  out.stack = shape.size() == 3 ? shape[0] : 1;
  return out;
}

Matrix matrix_of(tensor::DType type, const Extents& extents, std::vector<const SafeTensor*> arrays) {
  Matrix out;
  out.view.type = type;
  out.view.shape = {{extents.cols, extents.rows, extents.stack, 1}, extents.rank};
  const quant::FormatInfo& format = *quant::find_format(type);
  out.view.row_bytes = extents.cols / format.block_elems * format.block_bytes;
  for (const SafeTensor* array : arrays) {
    if (array != nullptr) out.arrays.push_back(array->name);
  }
  out.file_index = arrays[0]->file_index;
  return out;
}

void pass_over_activation_scales(const Module& module, Matrix& matrix) {
  bool any = false;
  for (const char* suffix : {".input_scale", ".input_global_scale", ".input_zero_point", ".act_scale"}) {
    const SafeTensor* const array = module.find(suffix);
    if (array == nullptr) continue;
    matrix.arrays.push_back(array->name);
    any = true;
  }
  if (any) add_note(matrix, "its scales of activations are not used: activations keep more bits");
}

void add_note(Matrix& matrix, std::string_view sentence) {
  matrix.note += cat(matrix.note.empty() ? "" : "; ", sentence);
}

}  // namespace quern::hf
