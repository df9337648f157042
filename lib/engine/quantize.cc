// quern::quantize: the recipe's plan, what must be true of it, and the new file.
#include <quern/quantize.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "lib/convert/imatrix.h"
#include "lib/convert/new_file.h"
#include "lib/convert/quantize.h"
#include "lib/convert/recipe.h"
#include "lib/engine/api/impl.h"
#include "lib/engine/calibration.h"
#include "lib/io/gguf.h"
#include "lib/io/reader.h"
#include "lib/quant/format.h"

namespace quern {
namespace {

using convert::TensorPlan;
using convert::TensorTarget;

Result<uint32_t> type_id_of(const std::string& name) {
  if (const auto id = quant::find_type(name)) return *id;
  std::string known;
  for (const quant::FormatInfo& format : quant::formats()) known += cat(known.empty() ? "" : " ", format.name);
  return fail(Errc::argument, "'", name, "' is no type of tensors; known: ", known);
}

Result<convert::RecipeOptions> recipe_options(const QuantizeOptions& options) {
  convert::RecipeOptions out;
  out.pure = options.pure;
  out.leave_output = options.leave_output_tensor;
  out.has_imatrix = !options.imatrix.empty();
  if (!options.output_tensor_type.empty()) {
    QUERN_TRY(out.output_tensor_type, type_id_of(options.output_tensor_type));
  }
  if (!options.token_embedding_type.empty()) {
    QUERN_TRY(out.token_embedding_type, type_id_of(options.token_embedding_type));
  }
  for (const TensorTypeOverride& override : options.tensor_types) {
    QUERN_TRY(const uint32_t type, type_id_of(override.type));
    out.overrides.push_back({override.pattern, type});
  }
  return out;
}

/// Whether a type holds what was trained, or has lost some of it.
bool is_float(uint32_t type_id) {
  const auto block = quant::block_size(type_id);
  return block && block->elems == 1;
}

Status check_plan(const std::string& path, const TensorPlan& plan, const QuantizeOptions& options) {
  if (!plan.converts()) return {};
  QUERN_ENSURE(is_float(plan.source_type) || options.allow_requantize, Errc::argument, path, ": tensor '",
               plan.tensor->name, "' is already quantized (", quant::type_name(plan.source_type),
               "): start from a file with F32, F16 or BF16 weights, or allow to requantize, which loses more");
  QUERN_ENSURE(!plan.needs_imatrix || !options.imatrix.empty(), Errc::argument, path, ": tensor '", plan.tensor->name,
               "' as ", quant::type_name(plan.target_type),
               " needs an importance matrix: make one with `quern imatrix`, or choose a type of more bits");
  return {};
}

QuantizedTensor describe(const TensorPlan& plan, const TensorTarget& target) {
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

using Imatrix = std::optional<convert::Imatrix>;

/// The importance of a tensor's inputs, each number positive: the quantizer divides by sums of them.
Result<std::vector<float>> importance_of(const Imatrix& imatrix, const io::TensorEntry& tensor) {
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

Result<std::vector<io::MetaTable::Entry>> metadata_changes(const convert::Recipe& recipe,
                                                           const QuantizeOptions& options, const Imatrix& imatrix) {
  std::vector<io::MetaTable::Entry> out;
  const auto u32 = static_cast<uint32_t>(io::ValueType::u32);
  if (recipe.file_type != convert::kKeepFileType) out.push_back({"general.file_type", uint64_t{recipe.file_type}, u32});
  out.push_back({"general.quantization_version", uint64_t{2}, u32});
  if (imatrix) {
    const auto text = static_cast<uint32_t>(io::ValueType::string);
    out.push_back({"quantize.imatrix.file", options.imatrix, text});
    if (!imatrix->datasets.empty()) out.push_back({"quantize.imatrix.dataset", imatrix->datasets.front(), text});
    out.push_back({"quantize.imatrix.entries_count", uint64_t{imatrix->entries.size()}, u32});
    out.push_back({"quantize.imatrix.chunks_count", uint64_t{imatrix->n_chunks}, u32});
  }
  for (const std::string& text : options.override_kv) {
    QUERN_TRY(io::MetaTable::Entry entry, convert::parse_override(text));
    std::erase_if(out, [&](const io::MetaTable::Entry& e) { return e.key == entry.key; });
    out.push_back(std::move(entry));
  }
  return out;
}

Result<std::unique_ptr<engine::Calibration>> open_calibration(const Runtime& runtime, const std::string& in,
                                                              const QuantizeOptions& options,
                                                              const std::vector<TensorTarget>& targets) {
  QUERN_ENSURE(!options.calibration.empty(), Errc::argument,
               "method gptq needs a calibration text: give one like those that the model will read");
  ModelOptions open;
  open.runtime = runtime;
  open.progress = options.progress;
  open.cancel = options.cancel;
  QUERN_TRY(const Model model, Model::open(in, open));
  std::vector<std::string> order;
  for (const TensorTarget& target : targets) {
    if (!target.copied()) order.push_back(target.source->name);
  }
  return engine::Calibration::create(model, options, std::move(order));
}

Result<QuantizeResult> run(const Runtime& runtime, const std::string& in, const std::string& out,
                           const QuantizeOptions& options) {
  QUERN_ENSURE(options.method == "nearest" || options.method == "gptq", Errc::argument, "method '", options.method,
               "' is not known: nearest or gptq");
  QUERN_TRY(const convert::Recipe* recipe, convert::find_recipe(options.type));
  QUERN_TRY(const convert::RecipeOptions recipe_wishes, recipe_options(options));
  Imatrix imatrix;
  if (!options.imatrix.empty()) {
    QUERN_TRY(imatrix, convert::Imatrix::open(options.imatrix));
  }
  QUERN_TRY(const auto changes, metadata_changes(*recipe, options, imatrix));
  QUERN_TRY(const io::ModelFile file, io::open_model_file(in));
  std::error_code ignored;
  QUERN_ENSURE(!std::filesystem::equivalent(in, out, ignored), Errc::argument, out,
               ": is the source itself; give another name");
  QUERN_TRY(const std::vector<TensorPlan> plans, convert::plan_types(file, *recipe, recipe_wishes));
  QuantizeResult result;
  std::vector<TensorTarget> targets;
  uint64_t n_elements = 0;
  for (const TensorPlan& plan : plans) {
    QUERN_CHECK(check_plan(in, plan, options));
    targets.push_back({plan.tensor, plan.target_type, {}});
    if (plan.converts()) {
      QUERN_TRY(targets.back().importance, importance_of(imatrix, *plan.tensor));
    }
    result.tensors.push_back(describe(plan, targets.back()));
    result.from_bytes += result.tensors.back().from_bytes;
    result.to_bytes += result.tensors.back().to_bytes;
    n_elements += plan.tensor->view.shape.elements();
  }
  if (n_elements > 0)
    result.bits_per_weight = 8.0 * static_cast<double>(result.to_bytes) / static_cast<double>(n_elements);
  engine::RuntimeState& state = *runtime.impl().state;
  std::unique_ptr<base::ThreadPool> own;
  if (!state.pool) {
    QUERN_TRY(own, base::ThreadPool::create(1));
  }
  convert::Quantizer quantizer(file, state.pool ? *state.pool : *own, options.progress, options.cancel);
  QUERN_CHECK(quantizer.check(targets));
  if (options.dry_run) return result;
  std::unique_ptr<engine::Calibration> calibration;
  if (options.method == "gptq") {
    QUERN_TRY(calibration, open_calibration(runtime, in, options, targets));
    quantizer.refine_by(calibration.get());
  }
  QUERN_TRY(result.files, convert::write_model(file, targets, changes, out, options.keep_split, quantizer));
  return result;
}

}  // namespace

Result<QuantizeResult> quantize(const Runtime& runtime, const std::string& in, const std::string& out,
                                const QuantizeOptions& options) {
  return engine::guarded([&] { return run(runtime, in, out, options); });
}

std::vector<QuantizationType> quantization_types() {
  std::vector<QuantizationType> out;
  for (const convert::Recipe& recipe : convert::recipes()) {
    out.push_back(
        {std::string(recipe.name), std::string(recipe.description), recipe.bits_per_weight, recipe.needs_imatrix});
  }
  return out;
}

}  // namespace quern
