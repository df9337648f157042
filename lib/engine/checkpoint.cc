#include "lib/engine/checkpoint.h"

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "lib/convert/new_checkpoint.h"
#include "lib/engine/api/impl.h"
#include "lib/engine/calibration.h"
#include "lib/hf/checkpoint.h"
#include "lib/hf/config.h"
#include "lib/quant/format.h"

namespace quern::engine {
namespace {

/// Options that speak of GGUF files.
Status check_options(const QuantizeOptions& options, const convert::MatrixForm& form) {
  const std::pair<bool, const char*> given[] = {
      {!options.imatrix.empty(), "imatrix"},
      {!options.tensor_types.empty(), "tensor_types"},
      {!options.output_tensor_type.empty(), "output_tensor_type"},
      {!options.token_embedding_type.empty(), "token_embedding_type"},
      {options.target_size_bytes > 0 || options.target_bpw > 0, "a target size"},
      {!options.report.empty(), "report"},
      {options.keep_split, "keep_split"},
      {!options.override_kv.empty(), "override_kv"},
  };
  for (const auto& [is_given, name] : given) {
    QUERN_ENSURE(!is_given, Errc::argument, name, " is not for ", form.name(), ", which makes a checkpoint folder");
  }
  QUERN_ENSURE(options.method == "nearest" || options.method == "gptq", Errc::argument, "method '", options.method,
               "' is not known: nearest or gptq");
  QUERN_ENSURE(options.method == "nearest" || form.uses_moments(), Errc::argument, "method '", options.method,
               "' is not for ", form.name(), ", whose codes follow from the weights alone");
  QUERN_ENSURE(options.method == "nearest" || !options.calibration.empty(), Errc::argument,
               "method gptq needs a calibration text: give one like those that the model will read");
  return {};
}

QuantizedTensor describe(const convert::NewCheckpoint& checkpoint, const convert::ModulePlan& plan,
                         std::string_view form) {
  QuantizedTensor out;
  const tensor::TensorView& view = plan.matrix.view;
  out.name = plan.module.name + ".weight";
  out.shape.assign(view.shape.ne.begin(), view.shape.ne.begin() + view.shape.rank);
  out.from = quant::type_name(static_cast<uint32_t>(view.type));
  out.from_bytes = view.size_bytes();
  out.to = plan.quantized() ? std::string(form) : out.from;
  out.reason = plan.quantized() ? "a linear module" : plan.left;
  out.to_bytes = plan.quantized() ? 0 : out.from_bytes;
  if (!plan.quantized()) return out;
  for (const io::SafeArray& array : checkpoint.arrays(plan)) {
    uint64_t bits = io::safe_type_bits(array.type);
    for (const uint64_t extent : array.shape) bits *= extent;
    out.to_bytes += bits / 8;
  }
  return out;
}

/// The linear modules one by one, the other arrays in the sums.
QuantizeResult describe_all(const hf::Checkpoint& source, const convert::NewCheckpoint& checkpoint,
                            std::string_view form) {
  QuantizeResult out;
  uint64_t n_elements = 0;
  for (const io::SafeTensor& array : source.arrays.entries()) {
    n_elements += array.elements();
    out.from_bytes += array.bytes.size();
  }
  out.to_bytes = out.from_bytes;
  for (const convert::ModulePlan& plan : checkpoint.modules()) {
    out.tensors.push_back(describe(checkpoint, plan, form));
    out.to_bytes -= out.tensors.back().from_bytes - out.tensors.back().to_bytes;
  }
  if (n_elements > 0) out.bits_per_weight = 8.0 * static_cast<double>(out.to_bytes) / static_cast<double>(n_elements);
  return out;
}

Result<std::unique_ptr<Calibration>> open_calibration(const Runtime& runtime, const std::string& in,
                                                      const QuantizeOptions& options,
                                                      const convert::NewCheckpoint& checkpoint) {
  ModelOptions open;
  open.runtime = runtime;
  open.progress = options.progress;
  open.cancel = options.cancel;
  QUERN_TRY(const Model model, Model::open(in, open));
  std::vector<std::string> order;
  for (const convert::ModulePlan& plan : checkpoint.modules()) {
    if (plan.quantized()) order.push_back(plan.module.tensor);
  }
  return Calibration::create(model, options, std::move(order));
}

}  // namespace

Result<QuantizeResult> quantize_checkpoint(const Runtime& runtime, const std::string& in, const std::string& out,
                                           const QuantizeOptions& options, const convert::FormInfo& info) {
  convert::FormOptions form_options;
  form_options.group_size = options.group_size;
  form_options.symmetric = options.symmetric;
  QUERN_TRY(const auto form, info.make(form_options));
  QUERN_CHECK(check_options(options, *form));
  std::error_code ignored;
  QUERN_ENSURE(std::filesystem::is_directory(in, ignored), Errc::argument, in, ": ", info.name,
               " is made from a folder with config.json and safetensors");
  QUERN_TRY(const hf::Checkpoint source, hf::open_checkpoint(in));
  QUERN_TRY(const arch::HfArch* const table, hf::find_class(source));
  QUERN_TRY(const auto checkpoint, convert::NewCheckpoint::plan(source, *table, *form));
  QuantizeResult result = describe_all(source, checkpoint, info.name);
  if (options.dry_run) return result;
  std::unique_ptr<base::ThreadPool> own_pool;  // where the runtime has none
  if (!runtime.impl().state->pool) {
    QUERN_TRY(own_pool, base::ThreadPool::create(1));
  }
  std::unique_ptr<Calibration> calibration;
  if (options.method == "gptq") {
    QUERN_TRY(calibration, open_calibration(runtime, in, options, checkpoint));
  }
  base::ThreadPool& pool = own_pool ? *own_pool : *runtime.impl().state->pool;
  QUERN_TRY(result.files, checkpoint.write(out, {pool, calibration.get(), options.progress, options.cancel}));
  return result;
}

}  // namespace quern::engine
