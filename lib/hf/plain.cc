// Matrices, and stacks of them, of plain numbers: F32, F16, BF16 as they are.
#include <algorithm>
#include <cstring>

#include "lib/hf/readers.h"
#include "lib/hf/row_bytes.h"
#include "lib/quant/format.h"
#include "lib/quant/fp8.h"

namespace quern::hf {

using io::SafeTensor;
using io::SafeType;
using tensor::DType;

namespace {

struct TypeRow {
  SafeType type;
  DType to;
  float (*to_float)(const std::byte*);  ///< nullptr: as it is
};

template <float (*kToFloat)(uint8_t)>
float from_byte(const std::byte* p) {
  return kToFloat(static_cast<uint8_t>(*p));
}

constexpr TypeRow kTypes[] = {
    {SafeType::f32, DType::f32, nullptr},
    {SafeType::f16, DType::f16, nullptr},
    {SafeType::bf16, DType::bf16, nullptr},
    {SafeType::f64, DType::f32,
     [](const std::byte* p) {
       double x;
       std::memcpy(&x, p, sizeof x);
       return static_cast<float>(x);
     }},
    // Without scales: numbers that were made smaller and no more.
    {SafeType::f8_e4m3, DType::f32, from_byte<quant::e4m3_to_f32>},
    {SafeType::f8_e5m2, DType::f32, from_byte<quant::e5m2_to_f32>},
};

class Source final : public tensor::RowSource {
 public:
  Source(RowBytes rows, uint64_t cols, uint32_t size, float (*to_float)(const std::byte*))
      : rows_(rows), cols_(cols), size_(size), to_float_(to_float) {}
  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    for (uint64_t row = begin; row < end; ++row) {
      for (uint64_t c = 0; c < cols_; ++c, out += sizeof(float)) {
        const float value = to_float_(rows_.row(row) + c * size_);
        std::memcpy(out, &value, sizeof value);
      }
    }
  }
  void release(uint64_t begin, uint64_t end) const override { rows_.release(begin, end); }

 private:
  RowBytes rows_;
  uint64_t cols_;
  uint32_t size_;
  float (*to_float_)(const std::byte*);
};

}  // namespace

bool is_plain(const SafeTensor& array) {
  return std::any_of(std::begin(kTypes), std::end(kTypes),
                     [&](const TypeRow& row) { return row.type == array.type && row.to_float == nullptr; });
}

Result<std::optional<Matrix>> read_plain(const Module& module) {
  const SafeTensor* const array = module.of_weight("");
  if (array == nullptr || array->shape.size() < 2 || array->shape.size() > 3) return std::optional<Matrix>();
  const auto type =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeRow& row) { return row.type == array->type; });
  if (type == std::end(kTypes)) {
    return module.wrong_form(*array, "numbers of type F32, F16 or BF16, or a quantized form that is known");
  }
  const auto& shape = array->shape;
  if (array->elements() == 0) return module.wrong_form(*array, "elements");
  Matrix out;
  out.view.type = type->to;
  out.view.shape.rank = static_cast<uint32_t>(shape.size());
  std::copy(shape.rbegin(), shape.rend(), out.view.shape.ne.begin());
  out.view.row_bytes = shape.back() * quant::find_format(type->to)->block_bytes;
  out.arrays = {array->name};
  out.file_index = array->file_index;
  if (type->to_float == nullptr) {
    out.view.data = array->bytes.data();
    return std::optional<Matrix>(std::move(out));
  }
  set_source(out, std::make_shared<Source>(RowBytes(module, *array, out.view.shape.rows()), shape.back(),
                                           io::safe_type_bits(array->type) / 8, type->to_float));
  add_note(out, cat(io::safe_type_name(array->type), " without scales: run as F32"));
  return std::optional<Matrix>(std::move(out));
}

}  // namespace quern::hf
