// quern::quantize: the recipe's plan, what must be true of it, and the new file.
#include <quern/quantize.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "lib/convert/allocate.h"
#include "lib/convert/conversion.h"
#include "lib/convert/matrix_form.h"
#include "lib/convert/new_file.h"
#include "lib/convert/quantize.h"
#include "lib/convert/recipe.h"
#include "lib/engine/api/impl.h"
#include "lib/engine/calibration.h"
#include "lib/engine/checkpoint.h"
#include "lib/engine/new_model.h"
#include "lib/engine/sensitivity.h"
#include "lib/hf/open.h"
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
  for (const quant::FormatInfo& format : quant::formats()) {
    if (quant::find_type(format.name)) known += cat(known.empty() ? "" : " ", format.name);
  }
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

Status check_plan(const std::string& path, const TensorPlan& plan, const QuantizeOptions& options) {
  if (!plan.converts()) return {};
  QUERN_ENSURE(convert::is_float_type(plan.source_type) || options.allow_requantize, Errc::argument, path, ": tensor '",
               plan.tensor->name, "' is already quantized (", quant::type_name(plan.source_type),
               "): start from a file with F32, F16 or BF16 weights, or allow to requantize, which loses more");
  // A calibration text says as much as an importance matrix.
  const bool weighed = !options.imatrix.empty() || options.method == "gptq";
  QUERN_ENSURE(!plan.needs_imatrix || weighed, Errc::argument, path, ": tensor '", plan.tensor->name, "' as ",
               quant::type_name(plan.target_type),
               " needs an importance matrix: make one with `quern imatrix`, or choose a type of more bits");
  return {};
}

/// One call of quantize(), step by step.
class Job {
 public:
  Job(const Runtime& runtime, const std::string& in, const std::string& out, const QuantizeOptions& options)
      : runtime_(runtime), in_(in), out_(out), options_(options) {}
  Status plan();
  Status write();
  QuantizeResult result;

 private:
  Status choose_types();
  Result<std::vector<double>> sensitivities(const std::vector<size_t>& tensors);
  Result<std::unique_ptr<engine::Calibration>> open_calibration();
  Result<std::vector<io::MetaTable::Entry>> review(const std::string& path);
  uint64_t budget() const;
  base::ThreadPool& pool() { return own_pool_ ? *own_pool_ : *runtime_.impl().state->pool; }

  const Runtime& runtime_;
  const std::string& in_;
  const std::string& out_;
  const QuantizeOptions& options_;
  std::unique_ptr<base::ThreadPool> own_pool_;  ///< where the runtime has none
  engine::OptionalImatrix imatrix_;
  std::vector<io::MetaTable::Entry> changes_;
  std::optional<io::ModelFile> file_;
  std::vector<TensorPlan> plans_;
  std::vector<TensorTarget> targets_;
};

Status Job::plan() {
  QUERN_ENSURE(options_.method == "nearest" || options_.method == "gptq", Errc::argument, "method '", options_.method,
               "' is not known: nearest or gptq");
  QUERN_ENSURE(options_.report.empty() || !options_.keep_split, Errc::argument,
               "a report goes into one file: not together with keep_split");
  if (!runtime_.impl().state->pool) {
    QUERN_TRY(own_pool_, base::ThreadPool::create(1));
  }
  QUERN_TRY(const convert::Recipe* recipe, convert::find_recipe(options_.type));
  QUERN_TRY(const convert::RecipeOptions wishes, recipe_options(options_));
  if (!options_.imatrix.empty()) {
    QUERN_TRY(imatrix_, convert::Imatrix::open(options_.imatrix));
  }
  QUERN_TRY(changes_, engine::metadata_changes(recipe->file_type, imatrix_, options_.imatrix, options_.override_kv));
  QUERN_TRY(file_, hf::open_model(in_));
  std::error_code ignored;
  QUERN_ENSURE(!std::filesystem::equivalent(in_, out_, ignored), Errc::argument, out_,
               ": is the source itself; give another name");
  QUERN_TRY(plans_, convert::plan_types(*file_, *recipe, wishes));
  // No quantizer has been here before.
  if (std::filesystem::is_directory(in_, ignored)) {
    QUERN_CHECK(convert::plan_conversion(*file_, false, pool(), plans_));
  }
  QUERN_TRY(targets_, engine::targets_for(plans_, imatrix_));
  if (options_.target_size_bytes > 0 || options_.target_bpw > 0) QUERN_CHECK(choose_types());
  for (const TensorPlan& plan : plans_) QUERN_CHECK(check_plan(in_, plan, options_));
  engine::describe(plans_, targets_, result);
  return convert::Quantizer(*file_, pool(), {}, options_.cancel).check(targets_);
}

/// Bytes for the tensors' data.
uint64_t Job::budget() const {
  uint64_t n_elements = 0, file_bytes = 0, tensor_bytes = 0;
  for (const base::FileBytes& part : file_->parts) file_bytes += part.bytes().size();
  for (const io::TensorEntry& entry : file_->tensors.entries()) {
    n_elements += entry.view.shape.elements();
    tensor_bytes += entry.view.size_bytes();
  }
  if (options_.target_size_bytes == 0)
    return static_cast<uint64_t>(options_.target_bpw * static_cast<double>(n_elements) / 8);
  // Metadata, and room between tensors.
  const uint64_t rest = file_bytes - tensor_bytes + 64 * file_->tensors.entries().size();
  return options_.target_size_bytes > rest ? options_.target_size_bytes - rest : 0;
}

/// The types that compete for a place. Those of 32 elements are for rows that are no multiple of 256.
std::vector<const quant::FormatInfo*> candidates(const io::TensorEntry& tensor, bool has_imatrix) {
  constexpr std::string_view kFor256[] = {"IQ2_XS", "IQ2_S", "Q2_K", "IQ3_XXS", "IQ3_S", "Q3_K",
                                          "IQ4_XS", "Q4_K",  "Q5_K", "Q6_K",    "Q8_0"};
  constexpr std::string_view kFor32[] = {"IQ4_NL", "Q5_0", "Q5_1", "Q8_0"};
  std::vector<const quant::FormatInfo*> out;
  for (const quant::FormatInfo& format : quant::formats()) {
    const bool by_256 = tensor.view.shape.cols() % 256 == 0;
    const std::span<const std::string_view> names = by_256 ? std::span<const std::string_view>(kFor256) : kFor32;
    const std::string_view name = format.name;
    if (std::find(names.begin(), names.end(), name) == names.end() || format.encode == nullptr) continue;
    if (!has_imatrix && (name == "IQ2_XS" || name == "IQ2_S" || name == "IQ3_XXS")) continue;
    if (tensor.view.shape.cols() % format.block_elems == 0) out.push_back(&format);
  }
  return out;
}

Status Job::choose_types() {
  std::vector<size_t> tensors;
  uint64_t fixed_bytes = 0;
  for (size_t i = 0; i < plans_.size(); ++i) {
    const bool competes = plans_[i].eligible && plans_[i].converts() && !plans_[i].asked_for &&
                          !candidates(*plans_[i].tensor, imatrix_.has_value()).empty();
    if (competes) tensors.push_back(i);
    if (!competes) fixed_bytes += targets_[i].size_bytes();
  }
  QUERN_TRY(const std::vector<double> weight, sensitivities(tensors));
  std::vector<std::vector<convert::Choice>> choices(tensors.size());
  for (size_t t = 0; t < tensors.size(); ++t) {
    TensorTarget target = targets_[tensors[t]];
    for (const quant::FormatInfo* format : candidates(*target.source, imatrix_.has_value())) {
      target.type_id = static_cast<uint32_t>(format->type);
      QUERN_TRY(const auto error, convert::rounding_error(*target.source, target.type_id, target.importance, pool()));
      choices[t].push_back({target.type_id, target.size_bytes(), weight[t] * error.error});
    }
  }
  const uint64_t total = budget();
  QUERN_ENSURE(total > fixed_bytes, Errc::argument, in_, ": the tensors that keep their types take ", fixed_bytes,
               " bytes already, asked for were ", total);
  QUERN_TRY(const std::vector<size_t> chosen, convert::allocate(choices, total - fixed_bytes));
  for (size_t t = 0; t < tensors.size(); ++t) {
    const size_t i = tensors[t];
    targets_[i].type_id = plans_[i].target_type = choices[t][chosen[t]].type_id;
    plans_[i].reason = "by its measured loss";
    plans_[i].fallback.clear();
    plans_[i].needs_imatrix = false;
  }
  return {};
}

/// What a unit of weighted squared error costs in each of these tensors: measured, and where that cannot be done as
/// much, relative to the tensor, as in the median of the others.
Result<std::vector<double>> Job::sensitivities(const std::vector<size_t>& tensors) {
  QUERN_ENSURE(!options_.calibration.empty(), Errc::argument,
               "choosing types for a size needs a calibration text: give one like those that the model will read");
  QUERN_TRY(const auto measured, engine::Sensitivity::create(runtime_, in_, options_, pool()));
  std::vector<double> out(tensors.size()), relative, energy(tensors.size());
  std::vector<size_t> unknown;
  for (size_t t = 0; t < tensors.size(); ++t) {
    TensorTarget probe = targets_[tensors[t]];
    probe.type_id = probe.source->view.shape.cols() % 256 == 0 ? static_cast<uint32_t>(tensor::DType::q3_k)
                                                               : static_cast<uint32_t>(tensor::DType::q4_0);
    QUERN_TRY(const auto error, convert::rounding_error(*probe.source, probe.type_id, probe.importance, pool()));
    energy[t] = std::max(error.energy, 1e-30);
    QUERN_TRY(const std::optional<double> loss, measured->of(probe));
    if (loss && error.error > 0) {
      out[t] = *loss / error.error;
      relative.push_back(out[t] * energy[t]);
    } else {
      unknown.push_back(t);
    }
    const bool go_on = !options_.progress || options_.progress({"measure", t + 1, tensors.size()});
    QUERN_ENSURE(go_on && !options_.cancel.cancelled(), Errc::cancelled, "quantizing was cancelled");
  }
  std::sort(relative.begin(), relative.end());
  for (const size_t t : unknown) out[t] = (relative.empty() ? 1.0 : relative[relative.size() / 2]) / energy[t];
  return out;
}

Result<std::unique_ptr<engine::Calibration>> Job::open_calibration() {
  QUERN_ENSURE(!options_.calibration.empty(), Errc::argument,
               "method gptq needs a calibration text: give one like those that the model will read");
  ModelOptions open;
  open.runtime = runtime_;
  open.progress = options_.progress;
  open.cancel = options_.cancel;
  QUERN_TRY(const Model model, Model::open(in_, open));
  std::vector<std::string> order;
  for (const TensorTarget& target : targets_) {
    if (!target.copied()) order.push_back(target.source->name);
  }
  return engine::Calibration::create(model, options_, std::move(order));
}

constexpr const char* kQualityKeys[] = {"quern.quality.kl_divergence", "quern.quality.top1_agreement",
                                        "quern.quality.perplexity", "quern.quality.source_perplexity",
                                        "quern.quality.tokens"};

/// The figures of a report as metadata; without figures, the room for them.
std::vector<io::MetaTable::Entry> quality_entries(const Comparison& quality) {
  const double values[] = {quality.kl_divergence, quality.top1_agreement, quality.ppl, quality.reference_ppl,
                           static_cast<double>(quality.n_tokens)};
  std::vector<io::MetaTable::Entry> out;
  for (size_t i = 0; i < std::size(values); ++i)
    out.push_back({kQualityKeys[i], values[i], static_cast<uint32_t>(io::ValueType::f64)});
  return out;
}

Result<std::vector<io::MetaTable::Entry>> Job::review(const std::string& path) {
  ModelOptions open;
  open.runtime = runtime_;
  open.cancel = options_.cancel;
  QUERN_TRY(const Model source, Model::open(in_, open));
  QUERN_TRY(const Model quantized, Model::open(path, open));
  TokenizeOptions tokenize;
  tokenize.parse_special = true;
  PerplexityOptions windows;
  windows.max_windows = options_.report_chunks > 0 ? static_cast<int32_t>(options_.report_chunks) : -1;
  windows.progress = options_.progress;
  windows.cancel = options_.cancel;
  QUERN_TRY(result.quality,
            compare(source, quantized, source.tokenizer().tokenize(options_.report, tokenize), windows));
  return quality_entries(*result.quality);
}

Status Job::write() {
  convert::Quantizer quantizer(*file_, pool(), options_.progress, options_.cancel);
  std::unique_ptr<engine::Calibration> calibration;
  if (options_.method == "gptq") {
    QUERN_TRY(calibration, open_calibration());
    quantizer.refine_by(calibration.get());
  }
  io::Review reviewed;
  if (!options_.report.empty()) {
    for (io::MetaTable::Entry& entry : quality_entries({})) changes_.push_back(std::move(entry));
    reviewed = [this](const std::string& path) { return review(path); };
  }
  QUERN_TRY(result.files, convert::write_model(*file_, targets_, changes_, out_, {.as_source = options_.keep_split},
                                               quantizer, reviewed));
  return {};
}

Result<QuantizeResult> run(const Runtime& runtime, const std::string& in, const std::string& out,
                           const QuantizeOptions& options) {
  if (const convert::FormInfo* form = convert::find_form(options.type))
    return engine::quantize_checkpoint(runtime, in, out, options, *form);
  Job job(runtime, in, out, options);
  QUERN_CHECK(job.plan());
  if (!options.dry_run) QUERN_CHECK(job.write());
  return std::move(job.result);
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
  for (const convert::FormInfo& form : convert::matrix_forms()) {
    out.push_back({std::string(form.name), std::string(form.description), form.bits_per_weight, false, true});
  }
  return out;
}

}  // namespace quern
