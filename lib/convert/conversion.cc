#include "lib/convert/conversion.h"

#include <map>

#include "lib/convert/exact.h"
#include "lib/quant/format.h"

namespace quern::convert {
namespace {

using tensor::DType;

bool is_type(uint32_t type_id, DType type) { return type_id == static_cast<uint32_t>(type); }

/// NVFP4 has no recipe, but a number.
constexpr uint32_t kFileTypeNvfp4 = 39;

}  // namespace

bool is_float_type(uint32_t type_id) {
  const auto block = quant::block_size(type_id);
  return block && block->elems == 1;
}

bool is_gguf_type(uint32_t type_id) { return type_id < static_cast<uint32_t>(DType::nf4); }

std::string_view sixteen_bit_recipe(const io::ModelFile& file) {
  for (const io::TensorEntry& entry : file.tensors.entries()) {
    if (entry.view.shape.rank < 2) continue;
    if (is_type(entry.type_id, DType::bf16)) return "BF16";
    if (is_type(entry.type_id, DType::f16)) return "F16";
  }
  return "F16";
}

Status plan_conversion(const io::ModelFile& file, bool keep, base::ThreadPool& pool, std::vector<TensorPlan>& plans) {
  const uint32_t sixteen_bit = quant::find_type(sixteen_bit_recipe(file)).value_or(static_cast<uint32_t>(DType::f16));
  for (TensorPlan& plan : plans) {
    if (!quant::find_format(static_cast<DType>(plan.source_type))) continue;  // integers stay as they are
    if (!plan.eligible) {
      plan.target_type = static_cast<uint32_t>(DType::f32);
      continue;
    }
    const bool to_floats = is_float_type(plan.target_type) || !is_gguf_type(plan.target_type);
    if (keep && to_floats && !is_float_type(plan.source_type)) {
      QUERN_TRY(const std::optional<uint32_t> type, exact_type(*plan.tensor, pool));
      if (type) {
        plan.target_type = *type;
        plan.exact = true;
        plan.fallback.clear();
        plan.reason = plan.converts() ? "holds the same numbers" : "quantized already";
      }
    }
    if (!is_gguf_type(plan.target_type)) plan.target_type = sixteen_bit;
  }
  return {};
}

uint32_t file_type_of(const Recipe& recipe, const std::vector<TensorPlan>& plans) {
  uint64_t all = 0;
  std::map<uint32_t, uint64_t> kept;
  for (const TensorPlan& plan : plans) {
    const uint64_t n = plan.tensor->view.shape.elements();
    all += n;
    if (plan.exact) kept[plan.target_type] += n;
  }
  for (const auto& [type_id, n] : kept) {
    if (n <= all / 2) continue;
    if (is_type(type_id, DType::nvfp4)) return kFileTypeNvfp4;
    for (const Recipe& other : recipes()) {
      if (!other.copies() && quant::find_type(other.default_type) == type_id) return other.file_type;
    }
  }
  return recipe.file_type;
}

}  // namespace quern::convert
