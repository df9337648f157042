// quern::convert_model: a model from elsewhere as a GGUF file.
#include <quern/convert.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "lib/convert/conversion.h"
#include "lib/convert/new_file.h"
#include "lib/engine/api/impl.h"
#include "lib/engine/new_model.h"
#include "lib/hf/adapter.h"
#include "lib/hf/merge.h"
#include "lib/hf/open.h"
#include "lib/io/gguf.h"
#include "lib/io/names.h"
#include "lib/quant/format.h"

namespace quern {
namespace {

using convert::TensorPlan;
using convert::TensorTarget;

constexpr const char* kSizeLabel = "general.size_label";

/// More than 7 bits per weight.
bool is_near_lossless(uint32_t type_id) {
  const auto block = quant::block_size(type_id);
  return block && block->bytes * 8 > block->elems * 7;
}

Status check_plan(const std::string& path, const TensorPlan& plan, const ConvertOptions& options) {
  if (!plan.converts() || plan.exact) return {};
  const bool loses = !convert::is_float_type(plan.source_type) && !is_near_lossless(plan.target_type);
  QUERN_ENSURE(!loses || options.allow_requantize, Errc::argument, path, ": tensor ", io::quoted(plan.tensor->name),
               " is already quantized (", quant::type_name(plan.source_type), "), and would lose more as ",
               quant::type_name(plan.target_type),
               ": start from a model in F32, F16 or BF16, choose auto, f16 or q8_0, or allow to requantize");
  QUERN_ENSURE(!plan.needs_imatrix || !options.imatrix.empty(), Errc::argument, path, ": tensor ",
               io::quoted(plan.tensor->name), " as ", quant::type_name(plan.target_type),
               " needs an importance matrix: make one with `quern imatrix`, or choose a type of more bits");
  return {};
}

/// "6.8M", "1.5B": two digits at least.
std::string size_label(const io::ModelFile& file) {
  double n = 0;
  for (const io::TensorEntry& entry : file.tensors.entries()) n += static_cast<double>(entry.view.shape.elements());
  constexpr std::pair<double, const char*> kUnits[] = {{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "K"}};
  for (const auto& [unit, name] : kUnits) {
    if (n <= unit && unit > 1e3) continue;
    const bool one_digit = n < 9.5 * unit;
    const double rounded = one_digit ? std::round(n / unit * 10) / 10 : std::round(n / unit);
    const std::string digits = cat(rounded);
    return cat(digits, one_digit && digits.find('.') == std::string::npos ? ".0" : "", name);
  }
  return {};
}

/// One call of convert_model(), step by step.
class Conversion {
 public:
  Conversion(const Runtime& runtime, const std::string& in, const std::string& out, const ConvertOptions& options)
      : runtime_(runtime), in_(in), out_(out), options_(options) {}
  Status plan();
  Status write();
  QuantizeResult result;

 private:
  Status plan_tensors(const convert::Recipe& recipe);
  bool changes(std::string_view key) const {
    return std::any_of(changes_.begin(), changes_.end(), [&](const auto& entry) { return entry.key == key; });
  }
  base::ThreadPool& pool() { return own_pool_ ? *own_pool_ : *runtime_.impl().state->pool; }

  const Runtime& runtime_;
  const std::string& in_;
  const std::string& out_;
  const ConvertOptions& options_;
  std::unique_ptr<base::ThreadPool> own_pool_;  ///< where the runtime has none
  engine::OptionalImatrix imatrix_;
  std::optional<io::ModelFile> file_;
  std::vector<io::MetaTable::Entry> changes_;
  std::vector<TensorPlan> plans_;
  std::vector<TensorTarget> targets_;
  std::vector<std::unique_ptr<io::TensorEntry>> companions_;
};

Status Conversion::plan() {
  if (!runtime_.impl().state->pool) {
    QUERN_TRY(own_pool_, base::ThreadPool::create(1));
  }
  QUERN_TRY(file_, hf::open_model(in_));
  std::error_code ignored;
  QUERN_ENSURE(!std::filesystem::equivalent(in_, out_, ignored), Errc::argument, out_,
               ": is the source itself; give another name");
  const bool automatic = options_.type == "auto" || options_.type == "AUTO";
  QUERN_TRY(const convert::Recipe* recipe,
            convert::find_recipe(automatic ? convert::sixteen_bit_recipe(*file_) : options_.type));
  for (const MergedAdapter& adapter : options_.adapters) {
    QUERN_ENSURE(!options_.vocab_only, Errc::argument, adapter.path, ": a vocabulary has no weights to merge it into");
    QUERN_TRY(const io::AdapterFile opened, hf::open_adapter(adapter.path, *file_));
    QUERN_CHECK(hf::merge_adapter(*file_, opened, adapter.scale));
  }
  if (!options_.imatrix.empty()) {
    QUERN_TRY(imatrix_, convert::Imatrix::open(options_.imatrix));
  }
  if (!options_.vocab_only) QUERN_CHECK(plan_tensors(*recipe));
  QUERN_TRY(changes_, engine::metadata_changes(convert::file_type_of(*recipe, plans_), imatrix_, options_.imatrix,
                                               options_.override_kv));
  if (!options_.vocab_only && file_->meta.find(kSizeLabel) == nullptr && !changes(kSizeLabel))
    changes_.push_back({kSizeLabel, size_label(*file_), static_cast<uint32_t>(io::ValueType::string)});
  if (!options_.model_name.empty() && !changes("general.name"))
    changes_.push_back({"general.name", options_.model_name, static_cast<uint32_t>(io::ValueType::string)});
  return convert::Quantizer(*file_, pool(), {}, options_.cancel).check(targets_);
}

Status Conversion::plan_tensors(const convert::Recipe& recipe) {
  convert::RecipeOptions wishes;
  wishes.has_imatrix = imatrix_.has_value();
  QUERN_TRY(plans_, convert::plan_types(*file_, recipe, wishes));
  QUERN_CHECK(convert::plan_conversion(*file_, !options_.dequantize, pool(), plans_));
  for (const TensorPlan& plan : plans_) QUERN_CHECK(check_plan(in_, plan, options_));
  QUERN_TRY(targets_, engine::targets_for(plans_, imatrix_));
  engine::describe(plans_, targets_, result);
  for (size_t i = 0; i < plans_.size(); ++i) {
    auto scale = convert::companion_scale(targets_[i]);
    if (!scale) continue;
    targets_.push_back({scale.get(), scale->type_id});
    companions_.push_back(std::move(scale));
  }
  return {};
}

Status Conversion::write() {
  convert::Quantizer quantizer(*file_, pool(), options_.progress, options_.cancel);
  const convert::Split split{false, options_.split_max_bytes, options_.split_max_tensors};
  QUERN_TRY(result.files, convert::write_model(*file_, targets_, changes_, out_, split, quantizer));
  return {};
}

Result<QuantizeResult> run(const Runtime& runtime, const std::string& in, const std::string& out,
                           const ConvertOptions& options) {
  Conversion conversion(runtime, in, out, options);
  QUERN_CHECK(conversion.plan());
  if (!options.dry_run) QUERN_CHECK(conversion.write());
  return std::move(conversion.result);
}

}  // namespace

Result<QuantizeResult> convert_model(const Runtime& runtime, const std::string& in, const std::string& out,
                                     const ConvertOptions& options) {
  return engine::guarded([&] { return run(runtime, in, out, options); });
}

}  // namespace quern
