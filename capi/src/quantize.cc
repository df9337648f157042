// Quantizing.
#include <algorithm>

#include "capi/src/door.h"

using namespace quern::capi;

namespace {

/// The list is the same in every call, so that its texts can be handed out.
const std::vector<quern::QuantizationType>& types() {
  static const std::vector<quern::QuantizationType> list = quern::quantization_types();
  return list;
}

std::string text_of(const char* text) { return text ? text : ""; }

quern_status no_such_index(size_t index, const char* what, size_t n) {
  return refuse(quern::Errc::argument,
                "index " + std::to_string(index) + ": there are " + std::to_string(n) + " " + what);
}

/// The fields that are arrays.
quern_status read_lists(const quern_quantize_options& o, quern::QuantizeOptions& out) {
  QUERN_C_CHECK(check_array(o.tensor_types, o.n_tensor_types, "tensor_types"));
  for (size_t i = 0; i < o.n_tensor_types; ++i) {
    const quern_tensor_type_override& from = o.tensor_types[i];
    if (!from.pattern || !from.type) {
      return refuse(quern::Errc::argument,
                    "tensor_types[" + std::to_string(i) + "]: " + (from.pattern ? "type" : "pattern") + " is NULL");
    }
    out.tensor_types.push_back({from.pattern, from.type});
  }
  QUERN_C_CHECK(check_array(o.override_kv, o.n_override_kv, "override_kv"));
  for (size_t i = 0; i < o.n_override_kv; ++i) {
    if (!o.override_kv[i]) return refuse(quern::Errc::argument, "override_kv[" + std::to_string(i) + "] is NULL");
    out.override_kv.emplace_back(o.override_kv[i]);
  }
  return QUERN_OK;
}

quern_status read_quantize_options(const quern_quantize_options* given, quern::QuantizeOptions& out) {
  quern_quantize_options o = QUERN_QUANTIZE_OPTIONS_INIT;
  QUERN_C_CHECK(read_options(given, o, "quern_quantize_options", offsetof(quern_quantize_options, target_size_bytes)));
  QUERN_C_CHECK(read_lists(o, out));
  std::string_view calibration;
  QUERN_C_CHECK(read_text(o.calibration, o.calibration_size, "calibration", calibration));
  if (o.type) out.type = o.type;
  if (o.method) out.method = o.method;
  out.imatrix = text_of(o.imatrix);
  out.calibration = calibration;
  if (o.calibration_ctx != 0) out.calibration_ctx = o.calibration_ctx;
  out.calibration_chunks = o.calibration_chunks;
  out.output_tensor_type = text_of(o.output_tensor_type);
  out.token_embedding_type = text_of(o.token_embedding_type);
  out.pure = o.pure != 0;
  out.leave_output_tensor = o.leave_output_tensor != 0;
  out.allow_requantize = o.allow_requantize != 0;
  out.dry_run = o.dry_run != 0;
  out.keep_split = o.keep_split != 0;
  out.progress = progress_of(o.progress, o.progress_user);
  out.cancel = cancel_of(o.cancel);
  out.target_size_bytes = o.target_size_bytes;
  out.target_bpw = o.target_bpw;
  std::string_view report;
  QUERN_C_CHECK(read_text(o.report, o.report_size, "report", report));
  out.report = report;
  out.report_chunks = o.report_chunks;
  if (o.group_size != 0) out.group_size = o.group_size;
  out.symmetric = o.asymmetric == 0;
  return QUERN_OK;
}

}  // namespace

extern "C" {

size_t quern_n_quantization_types(void) {
  return guard_or(size_t{0}, [] { return types().size(); });
}

quern_status quern_get_quantization_type(size_t index, quern_quantization_type* out) {
  QUERN_C_NEED(out);
  return guard([&] {
    if (index >= types().size()) return no_such_index(index, "types", types().size());
    const quern::QuantizationType& from = types()[index];
    quern_quantization_type type = QUERN_QUANTIZATION_TYPE_INIT;
    type.name = from.name.c_str();
    type.description = from.description.c_str();
    type.bits_per_weight = from.bits_per_weight;
    type.needs_imatrix = from.needs_imatrix ? 1 : 0;
    type.makes_folder = from.makes_folder ? 1 : 0;
    return write_info(type, out, "quern_quantization_type", offsetof(quern_quantization_type, makes_folder));
  });
}

quern_status quern_quantize(const quern_runtime* runtime, const char* from, const char* to,
                            const quern_quantize_options* options, quern_quantize_result** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(from);
  return guard([&] {
    quern::QuantizeOptions wanted;
    QUERN_C_CHECK(read_quantize_options(options, wanted));
    if (!wanted.dry_run) QUERN_C_NEED(to);
    const auto used = runtime ? quern::Result<quern::Runtime>(runtime->runtime) : quern::Runtime::create();
    if (!used) return refuse(used.error());
    auto result = quern::quantize(*used, from, text_of(to), wanted);
    if (!result) return refuse(result.error());
    *out = new quern_quantize_result{std::move(*result)};
    return QUERN_OK;
  });
}

quern_status quern_quantize_result_get_info(const quern_quantize_result* result, quern_quantize_info* out) {
  QUERN_C_NEED(result);
  QUERN_C_NEED(out);
  return guard([&] {
    quern_quantize_info info = QUERN_QUANTIZE_INFO_INIT;
    info.n_tensors = result->result.tensors.size();
    info.n_files = result->result.files.size();
    info.from_bytes = result->result.from_bytes;
    info.to_bytes = result->result.to_bytes;
    info.bits_per_weight = result->result.bits_per_weight;
    if (const auto& quality = result->result.quality) {
      info.n_report_tokens = quality->n_tokens;
      info.kl_divergence = quality->kl_divergence;
      info.top1_agreement = quality->top1_agreement;
      info.ppl = quality->ppl;
      info.source_ppl = quality->reference_ppl;
    }
    return write_info(info, out, "quern_quantize_info", offsetof(quern_quantize_info, n_report_tokens));
  });
}

quern_status quern_quantize_result_get_tensor(const quern_quantize_result* result, size_t index,
                                              quern_quantized_tensor* out) {
  QUERN_C_NEED(result);
  QUERN_C_NEED(out);
  return guard([&] {
    const auto& tensors = result->result.tensors;
    if (index >= tensors.size()) return no_such_index(index, "tensors", tensors.size());
    const quern::QuantizedTensor& from = tensors[index];
    quern_quantized_tensor tensor = QUERN_QUANTIZED_TENSOR_INIT;
    tensor.name = from.name.c_str();
    tensor.from = from.from.c_str();
    tensor.to = from.to.c_str();
    tensor.reason = from.reason.c_str();
    tensor.fallback = from.fallback.c_str();
    tensor.n_dims = static_cast<uint32_t>(std::min<size_t>(from.shape.size(), std::size(tensor.shape)));
    std::copy_n(from.shape.begin(), tensor.n_dims, tensor.shape);
    tensor.from_bytes = from.from_bytes;
    tensor.to_bytes = from.to_bytes;
    return write_info(tensor, out, "quern_quantized_tensor");
  });
}

const char* quern_quantize_result_file(const quern_quantize_result* result, size_t index) {
  return result && index < result->result.files.size() ? result->result.files[index].c_str() : nullptr;
}

void quern_quantize_result_close(quern_quantize_result* result) { delete result; }

}  // extern "C"
