// Quantizing and converting.
#include "objects.h"
#include "options.h"

namespace quern_python {
namespace {

py::object to_quantized(const std::shared_ptr<quern_quantize_result>& result) {
  quern_quantize_info info = QUERN_QUANTIZE_INFO_INIT;
  call([&] { return quern_quantize_result_get_info(result.get(), &info); });
  py::list tensors, files;
  for (uint64_t i = 0; i < info.n_tensors; ++i) {
    quern_quantized_tensor t = QUERN_QUANTIZED_TENSOR_INIT;
    call([&] { return quern_quantize_result_get_tensor(result.get(), i, &t); });
    py::tuple shape(t.n_dims);
    for (uint32_t d = 0; d < t.n_dims; ++d) shape[d] = t.shape[d];
    tensors.append(make_result("QuantizedTensor", to_text(t.name), shape, to_text(t.from), to_text(t.to),
                               to_text(t.reason), to_text(t.fallback), t.from_bytes, t.to_bytes));
  }
  for (uint64_t i = 0; i < info.n_files; ++i) files.append(to_text(quern_quantize_result_file(result.get(), i)));
  py::object quality = py::none();
  if (info.n_report_tokens) {
    quality = make_result("QuantizeQuality", info.n_report_tokens, info.kl_divergence, info.top1_agreement, info.ppl,
                          info.source_ppl);
  }
  return make_result("QuantizeResult", tensors, info.from_bytes, info.to_bytes, info.bits_per_weight, files, quality);
}

/// A text that an options struct points to where it was given.
struct Text {
  std::string text;
  const char* take(Kwargs& kwargs, const char* name) { return kwargs.take(name, text) ? text.c_str() : nullptr; }
  /// A path.
  const char* take_path(Kwargs& kwargs, const char* name) {
    py::object path = py::none();
    if (!kwargs.take(name, path)) return nullptr;
    text = path_of(path);
    return text.c_str();
  }
};

std::shared_ptr<quern_runtime> take_runtime(Kwargs& kwargs) {
  py::object runtime = py::none();
  if (!kwargs.take("runtime", runtime)) return nullptr;
  return runtime.cast<Runtime&>().handle;
}

py::object quantize(const py::object& from, const py::object& to, const std::string& type, const py::kwargs& given) {
  Kwargs kwargs("quantize", given);
  quern_quantize_options o = QUERN_QUANTIZE_OPTIONS_INIT;
  LongCall long_call;
  Text imatrix, method, calibration, output_type, embedding_type, report;
  Texts override_kv;
  std::vector<std::pair<std::string, std::string>> types;
  std::vector<quern_tensor_type_override> overrides;
  bool symmetric = true;
  o.type = type.c_str();
  o.imatrix = imatrix.take_path(kwargs, "imatrix");
  o.method = method.take(kwargs, "method");
  o.calibration = calibration.take(kwargs, "calibration");
  o.calibration_size = calibration.text.size();
  kwargs.take("calibration_ctx", o.calibration_ctx);
  kwargs.take("calibration_chunks", o.calibration_chunks);
  kwargs.take("tensor_types", types);
  for (const auto& [pattern, name] : types) overrides.push_back({pattern.c_str(), name.c_str()});
  o.tensor_types = overrides.empty() ? nullptr : overrides.data();
  o.n_tensor_types = overrides.size();
  o.output_tensor_type = output_type.take(kwargs, "output_tensor_type");
  o.token_embedding_type = embedding_type.take(kwargs, "token_embedding_type");
  kwargs.take("target_size_bytes", o.target_size_bytes);
  kwargs.take("target_bpw", o.target_bpw);
  o.report = report.take(kwargs, "report");
  o.report_size = report.text.size();
  kwargs.take("report_chunks", o.report_chunks);
  kwargs.take("group_size", o.group_size);
  kwargs.take("symmetric", symmetric);
  o.asymmetric = symmetric ? 0 : 1;
  kwargs.take_flag("pure", o.pure);
  kwargs.take_flag("leave_output_tensor", o.leave_output_tensor);
  kwargs.take_flag("allow_requantize", o.allow_requantize);
  kwargs.take_flag("dry_run", o.dry_run);
  kwargs.take_flag("keep_split", o.keep_split);
  py::object pairs = py::none();
  if (kwargs.take("override_kv", pairs)) override_kv.set(pairs, "override_kv");
  o.override_kv = override_kv.pointers();
  o.n_override_kv = override_kv.texts.size();
  const auto runtime = take_runtime(kwargs);
  long_call.read(kwargs);
  kwargs.finish();
  o.progress = long_call.progress_fn();
  o.progress_user = &long_call;
  o.cancel = long_call.cancel();
  const std::string source = path_of(from), target = to.is_none() ? "" : path_of(to);
  quern_quantize_result* made = nullptr;
  long_call.run([&] {
    return quern_quantize(runtime.get(), source.c_str(), to.is_none() ? nullptr : target.c_str(), &o, &made);
  });
  return to_quantized(own<quern_quantize_result, quern_quantize_result_close>(made));
}

py::object convert(const py::object& from, const py::object& to, const std::string& type, const py::kwargs& given) {
  Kwargs kwargs("convert", given);
  quern_convert_options o = QUERN_CONVERT_OPTIONS_INIT;
  LongCall long_call;
  Text imatrix, model_name;
  Texts override_kv;
  std::vector<std::pair<std::string, float>> named;
  std::vector<quern_merged_adapter> adapters;
  o.type = type.c_str();
  kwargs.take_flag("dequantize", o.dequantize);
  kwargs.take_flag("allow_requantize", o.allow_requantize);
  o.imatrix = imatrix.take_path(kwargs, "imatrix");
  o.model_name = model_name.take(kwargs, "model_name");
  kwargs.take_flag("vocab_only", o.vocab_only);
  kwargs.take_flag("dry_run", o.dry_run);
  kwargs.take("split_max_bytes", o.split_max_bytes);
  kwargs.take("split_max_tensors", o.split_max_tensors);
  py::object pairs = py::none();
  if (kwargs.take("override_kv", pairs)) override_kv.set(pairs, "override_kv");
  o.override_kv = override_kv.pointers();
  o.n_override_kv = override_kv.texts.size();
  py::object merged = py::none();
  if (kwargs.take("adapters", merged)) {
    for (const auto& one : merged) {
      if (py::isinstance<py::tuple>(one)) {
        const auto pair = one.cast<py::tuple>();
        named.emplace_back(path_of(pair[0]), pair[1].cast<float>());
      } else {
        named.emplace_back(path_of(py::reinterpret_borrow<py::object>(one)), 1.0f);
      }
    }
  }
  for (const auto& [path, scale] : named) adapters.push_back({path.c_str(), scale, 0});
  o.adapters = adapters.empty() ? nullptr : adapters.data();
  o.n_adapters = adapters.size();
  const auto runtime = take_runtime(kwargs);
  long_call.read(kwargs);
  kwargs.finish();
  o.progress = long_call.progress_fn();
  o.progress_user = &long_call;
  o.cancel = long_call.cancel();
  const std::string source = path_of(from), target = to.is_none() ? "" : path_of(to);
  quern_quantize_result* made = nullptr;
  long_call.run([&] {
    return quern_convert_model(runtime.get(), source.c_str(), to.is_none() ? nullptr : target.c_str(), &o, &made);
  });
  return to_quantized(own<quern_quantize_result, quern_quantize_result_close>(made));
}

py::list types() {
  py::list out;
  for (size_t i = 0; i < quern_n_quantization_types(); ++i) {
    quern_quantization_type t = QUERN_QUANTIZATION_TYPE_INIT;
    call([&] { return quern_get_quantization_type(i, &t); });
    out.append(make_result("QuantizationType", to_text(t.name), to_text(t.description), t.bits_per_weight,
                           t.needs_imatrix != 0, t.makes_folder != 0));
  }
  return out;
}

}  // namespace

void bind_convert(py::module_& m) {
  m.def(
      "quantize", &quantize, py::arg("source"), py::arg("target"), py::arg("type") = "Q4_K_M",
      "quantize(source, target, type='Q4_K_M', *, imatrix=None, method='nearest', calibration=None, tensor_types=(), "
      "..., runtime=None, progress=None, cancel=None): writes a GGUF file, or where the type says so a folder, from a "
      "GGUF file or a Hugging Face folder. On any error, and when cancelled, the target stays as it was.");
  m.def("convert", &convert, py::arg("source"), py::arg("target"), py::arg("type") = "auto",
        "convert(source, target, type='auto', *, dequantize=False, adapters=(), ..., runtime=None, progress=None, "
        "cancel=None): writes a GGUF file from a Hugging Face folder or a GGUF file.");
  m.def("quantization_types", &types, "What quantize() takes as type.");
}

}  // namespace quern_python
