#include "lib/engine/new_model.h"

#include <algorithm>
#include <utility>

#include "lib/convert/new_file.h"
#include "lib/io/gguf.h"
#include "lib/quant/format.h"

namespace quern::engine {
namespace {

using convert::TensorPlan;
using convert::TensorTarget;

/// The importance of a tensor's inputs, each number positive: the quantizer divides by sums of them.
Result<std::vector<float>> importance_of(const OptionalImatrix& imatrix, const io::TensorEntry& tensor) {
  if (!imatrix) return std::vector<float>();
  const tensor::Shape& shape = tensor.view.shape;
  QUERN_TRY(auto weights, imatrix->weights_for(tensor.name, shape.ne[0], shape.ne[2]));
  if (!weights) return std::vector<float>();
  double sum = 0;
  for (const float w : *weights) sum += w;
  const auto least = static_cast<float>(1e-6 * sum / static_cast<double>(weights->size()) + 1e-30);
  for (float& w : *weights) w = std::max(w, least);
  return std::move(*weights);
}

QuantizedTensor describe_tensor(const TensorPlan& plan, const TensorTarget& target) {
  QuantizedTensor out;
  out.name = plan.tensor->name;
  const tensor::Shape& shape = plan.tensor->view.shape;
  out.shape.assign(shape.ne.begin(), shape.ne.begin() + shape.rank);
  out.from = quant::type_name(plan.source_type);
  out.to = quant::type_name(plan.target_type);
  out.reason = plan.reason;
  out.fallback = plan.fallback;
  out.from_bytes = plan.tensor->view.size_bytes();
  out.to_bytes = target.size_bytes();
  return out;
}

}  // namespace

Result<std::vector<TensorTarget>> targets_for(const std::vector<TensorPlan>& plans, const OptionalImatrix& imatrix) {
  std::vector<TensorTarget> out;
  for (const TensorPlan& plan : plans) {
    out.push_back({plan.tensor, plan.target_type, {}, plan.exact});
    if (plan.converts() && !plan.exact) {
      QUERN_TRY(out.back().importance, importance_of(imatrix, *plan.tensor));
    }
  }
  return out;
}

void describe(const std::vector<TensorPlan>& plans, const std::vector<TensorTarget>& targets, QuantizeResult& result) {
  uint64_t n_elements = 0;
  for (size_t i = 0; i < plans.size(); ++i) {
    result.tensors.push_back(describe_tensor(plans[i], targets[i]));
    result.from_bytes += result.tensors.back().from_bytes;
    result.to_bytes += result.tensors.back().to_bytes;
    n_elements += plans[i].tensor->view.shape.elements();
  }
  if (n_elements > 0)
    result.bits_per_weight = 8.0 * static_cast<double>(result.to_bytes) / static_cast<double>(n_elements);
}

Result<std::vector<io::MetaTable::Entry>> metadata_changes(uint32_t file_type, const OptionalImatrix& imatrix,
                                                           const std::string& imatrix_path,
                                                           const std::vector<std::string>& override_kv) {
  std::vector<io::MetaTable::Entry> out;
  const auto u32 = static_cast<uint32_t>(io::ValueType::u32);
  if (file_type != convert::kKeepFileType) out.push_back({"general.file_type", uint64_t{file_type}, u32});
  out.push_back({"general.quantization_version", uint64_t{2}, u32});
  if (imatrix) {
    const auto text = static_cast<uint32_t>(io::ValueType::string);
    out.push_back({"quantize.imatrix.file", imatrix_path, text});
    if (!imatrix->datasets.empty()) out.push_back({"quantize.imatrix.dataset", imatrix->datasets.front(), text});
    out.push_back({"quantize.imatrix.entries_count", uint64_t{imatrix->entries.size()}, u32});
    out.push_back({"quantize.imatrix.chunks_count", uint64_t{imatrix->n_chunks}, u32});
  }
  for (const std::string& text : override_kv) {
    QUERN_TRY(io::MetaTable::Entry entry, convert::parse_override(text));
    std::erase_if(out, [&](const io::MetaTable::Entry& e) { return e.key == entry.key; });
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace quern::engine
