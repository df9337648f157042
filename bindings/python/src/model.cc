// Runtimes, models, adapters, the check of a file.
#include "objects.h"
#include "options.h"

namespace quern_python {
namespace {

void on_log(void* user, int32_t level, const char* message) {
  py::gil_scoped_acquire acquire;
  try {
    (*static_cast<py::object*>(user))(level, to_text(message));
  } catch (py::error_already_set& error) {
    error.discard_as_unraisable("the log function of a quern.Runtime");
  }
}

Runtime create_runtime(const py::kwargs& given) {
  Kwargs kwargs("Runtime", given);
  quern_runtime_options o = QUERN_RUNTIME_OPTIONS_INIT;
  Runtime runtime;
  std::string backend;
  std::vector<int32_t> processors;
  kwargs.take("n_threads", o.n_threads);
  if (kwargs.take("backend", backend)) o.backend = backend.c_str();
  kwargs.take("log", runtime.log);
  if (kwargs.take("processors", processors)) {
    o.processors = processors.data();
    o.n_processors = processors.size();
  }
  kwargs.take_flag("pin_threads", o.pin_threads);
  kwargs.finish();
  if (!runtime.log.is_none()) {
    runtime.log_holder = std::shared_ptr<py::object>(new py::object(runtime.log), [](py::object* log) {
      py::gil_scoped_acquire acquire;
      delete log;
    });
    o.log = on_log;
    o.log_user = runtime.log_holder.get();
  }
  quern_runtime* made = nullptr;
  call([&] { return quern_runtime_create(&o, &made); });
  // The function lives as long as the runtime, which models keep alive.
  auto holder = runtime.log_holder;
  runtime.handle = std::shared_ptr<quern_runtime>(
      made, [holder](quern_runtime* handle) { Closer<quern_runtime, quern_runtime_close>()(handle); });
  return runtime;
}

Model open_model(const py::object& path, const py::kwargs& given) {
  Kwargs kwargs("Model", given);
  quern_model_options o = QUERN_MODEL_OPTIONS_INIT;
  LongCall long_call;
  py::object runtime = py::none();
  std::string quantize;
  bool use_mmap = true, repack = true;
  std::shared_ptr<quern_runtime> used;
  std::shared_ptr<py::object> log;
  if (kwargs.take("runtime", runtime)) {
    const Runtime& r = runtime.cast<Runtime&>();
    used = r.handle;
    log = r.log_holder;
    o.runtime = used.get();
  }
  kwargs.take("use_mmap", use_mmap);
  kwargs.take("repack", repack);
  o.no_mmap = use_mmap ? 0 : 1;
  o.no_repack = repack ? 0 : 1;
  kwargs.take_flag("vocab_only", o.vocab_only);
  if (kwargs.take("quantize", quantize)) o.quantize = quantize.c_str();
  kwargs.take_flag("double_quant", o.double_quant);
  long_call.read(kwargs);
  kwargs.finish();
  const std::string name = path_of(path);
  o.progress = long_call.progress_fn();
  o.progress_user = &long_call;
  o.cancel = long_call.cancel();
  quern_model* made = nullptr;
  long_call.run([&] { return quern_model_open(name.c_str(), &o, &made); });
  auto handle = std::shared_ptr<quern_model>(
      made, [used, log](quern_model* model) { Closer<quern_model, quern_model_close>()(model); });
  return {Handle<quern_model>(std::move(handle), "Model")};
}

py::object info_of(const Model& model) {
  const auto handle = model.get();
  quern_model_info info = QUERN_MODEL_INFO_INIT;
  call([&] { return quern_model_get_info(handle.get(), &info); });
  return make_result("ModelInfo", to_text(info.path), to_text(info.name), to_text(info.architecture),
                     to_text(info.file_type), info.n_parameters, info.size_bytes, info.n_vocab, info.n_embd,
                     info.n_layer, info.n_head, info.n_head_kv, info.n_ff, info.n_ctx_train);
}

py::object footprint_of(const Model& model) {
  const auto handle = model.get();
  quern_footprint f = QUERN_FOOTPRINT_INIT;
  call([&] { return quern_model_footprint(handle.get(), &f); });
  return make_result("Footprint", f.matrix_bytes, f.vector_bytes, f.table_bytes, f.kept_bytes, f.total_bytes,
                     f.file_bytes, f.file_needed_bytes, f.file_mapped != 0);
}

py::dict metadata_of(const Model& model) {
  const auto handle = model.get();
  py::dict out;
  for (size_t i = 0; i < quern_model_n_metadata(handle.get()); ++i) {
    out[to_text(quern_model_metadata_key(handle.get(), i))] = to_text(quern_model_metadata_value(handle.get(), i));
  }
  return out;
}

py::list tensors_of(const Model& model) {
  const auto handle = model.get();
  py::list out;
  for (size_t i = 0; i < quern_model_n_tensors(handle.get()); ++i) {
    quern_tensor_info info = QUERN_TENSOR_INFO_INIT;
    call([&] { return quern_model_get_tensor(handle.get(), i, &info); });
    py::tuple shape(info.n_dims);
    for (uint32_t d = 0; d < info.n_dims; ++d) shape[d] = info.shape[d];
    out.append(make_result("TensorInfo", to_text(info.name), to_text(info.type), shape, info.size_bytes));
  }
  return out;
}

py::object check_file(const py::object& path, const py::kwargs& given) {
  Kwargs kwargs("check", given);
  quern_check_options o = QUERN_CHECK_OPTIONS_INIT;
  ContextArgs context;
  py::object runtime = py::none();
  std::string quantize;
  bool use_mmap = true, repack = true;
  if (kwargs.take("runtime", runtime)) o.runtime = runtime.cast<Runtime&>().handle.get();
  kwargs.take("use_mmap", use_mmap);
  kwargs.take("repack", repack);
  o.no_mmap = use_mmap ? 0 : 1;
  o.no_repack = repack ? 0 : 1;
  if (kwargs.take("quantize", quantize)) o.quantize = quantize.c_str();
  kwargs.take_flag("double_quant", o.double_quant);
  context.read(kwargs);
  kwargs.finish();
  o.context = &context.options;
  const std::string name = path_of(path);
  quern_check_report* made = nullptr;
  LongCall().run([&] { return quern_check(name.c_str(), &o, &made); });
  const auto report = own<quern_check_report, quern_check_report_close>(made);
  quern_check_info info = QUERN_CHECK_INFO_INIT;
  call([&] { return quern_check_report_get_info(report.get(), &info); });
  py::list problems;
  for (uint64_t i = 0; i < info.n_listed; ++i) {
    quern_check_problem p = QUERN_CHECK_PROBLEM_INIT;
    call([&] { return quern_check_report_get_problem(report.get(), i, &p); });
    problems.append(make_result("CheckProblem", quern_check_part_name(p.part), p.fatal != 0, p.code, to_text(p.message),
                                to_text(p.tensor), p.missing != 0));
  }
  py::list unused;
  for (size_t i = 0; const char* tensor = quern_check_report_unused_tensor(report.get(), i); ++i) {
    unused.append(to_text(tensor));
  }
  py::dict fields;
  fields["opens"] = info.opens != 0;
  fields["runs"] = info.runs != 0;
  fields["format"] = to_text(info.format);
  fields["architecture"] = to_text(info.architecture);
  fields["tokenizer"] = to_text(info.tokenizer);
  fields["pretokenizer"] = to_text(info.pretokenizer);
  fields["file_type"] = to_text(info.file_type);
  fields["backend"] = to_text(info.backend);
  fields["architecture_known"] = info.architecture_known != 0;
  fields["tokenizer_known"] = info.tokenizer_known != 0;
  fields["has_chat_template"] = info.has_chat_template != 0;
  fields["n_ctx"] = info.n_ctx;
  fields["problems"] = problems;
  fields["n_problems"] = info.n_problems;
  fields["n_tensors"] = info.n_tensors;
  fields["unused"] = unused;
  fields["n_unused"] = info.n_unused;
  fields["n_skipped"] = info.n_skipped;
  fields["n_skipped_layers"] = info.n_skipped_layers;
  fields["file_bytes"] = info.file_bytes;
  fields["weight_bytes"] = info.weight_bytes;
  fields["cache_bytes"] = info.cache_bytes;
  fields["buffer_bytes"] = info.buffer_bytes;
  fields["needed_bytes"] = info.needed_bytes;
  fields["available_bytes"] = info.available_bytes;
  return make_result("CheckReport", **fields);
}

void bind_runtime(py::module_& m) {
  py::class_<Runtime>(
      m, "Runtime",
      "Runtime(*, n_threads=0, backend='cpu', log=None, processors=None, pin_threads=False)\n\n"
      "The threads that models compute with. log(level, message) is called from any thread. May be used "
      "from many threads.")
      .def(py::init(&create_runtime))
      .def_property_readonly("n_threads", [](const Runtime& r) { return quern_runtime_n_threads(r.handle.get()); })
      .def_property_readonly("description",
                             [](const Runtime& r) { return to_text(quern_runtime_description(r.handle.get())); })
      .def("bind_this_thread",
           [](const Runtime& r) { call([&] { return quern_runtime_bind_this_thread(r.handle.get()); }); })
      .def(
          "measure_read_bandwidth",
          [](const Runtime& r, uint64_t size_bytes) {
            double result = 0;
            LongCall().run([&] { return quern_runtime_measure_read_bandwidth(r.handle.get(), size_bytes, &result); });
            return result;
          },
          py::arg("size_bytes") = 0, "Bytes a second that the threads together read from memory.");
}

void bind_adapter(py::module_& m) {
  py::class_<Adapter>(m, "Adapter",
                      "Adapter(model, path): a low-rank change of a model's weights (GGUF or PEFT folder).")
      .def(py::init([](const Model& model, const py::object& path) {
             const auto handle = model.get();
             const std::string name = path_of(path);
             quern_adapter* made = nullptr;
             LongCall().run([&] { return quern_adapter_open(handle.get(), name.c_str(), &made); });
             return Adapter{{own<quern_adapter, quern_adapter_close>(made), "Adapter"}};
           }),
           py::arg("model"), py::arg("path"))
      .def_property_readonly("info",
                             [](const Adapter& adapter) {
                               const auto handle = adapter.handle.shared();
                               quern_adapter_info info = QUERN_ADAPTER_INFO_INIT;
                               call([&] { return quern_adapter_get_info(handle.get(), &info); });
                               return make_result("AdapterInfo", to_text(info.path), to_text(info.name), info.n_weights,
                                                  info.size_bytes, info.rank, info.alpha);
                             })
      .def("close", [](Adapter& a) { a.handle.close(); })
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Adapter& a, const py::args&) { a.handle.close(); });
}

}  // namespace

void bind_model(py::module_& m) {
  bind_runtime(m);
  py::class_<Model>(m, "Model",
                    "Model(path, *, runtime=None, use_mmap=True, repack=True, vocab_only=False, quantize=None, "
                    "double_quant=False, progress=None, cancel=None)\n\n"
                    "Weights, tokenizer and metadata of a GGUF file or a Hugging Face folder. May be used from many "
                    "threads. progress(stage, done, total) may return False to cancel.")
      .def(py::init(&open_model), py::arg("path"))
      .def_static("open", &open_model, py::arg("path"), "The same as Model(path, ...).")
      .def_property_readonly("info", &info_of)
      .def_property_readonly("metadata", &metadata_of, "Metadata in file order; values as text, arrays shortened.")
      .def_property_readonly("chat_template",
                             [](const Model& model) {
                               const auto handle = model.get();
                               return to_text(quern_model_chat_template(handle.get()));
                             })
      .def_property_readonly("tokenizer", [](const Model& model) { return Tokenizer{model.get()}; })
      .def_property_readonly("runtime",
                             [](const Model& model) {
                               const auto handle = model.get();
                               quern_runtime* made = nullptr;
                               call([&] { return quern_model_get_runtime(handle.get(), &made); });
                               Runtime runtime;
                               runtime.handle = own<quern_runtime, quern_runtime_close>(made);
                               return runtime;
                             })
      .def("tensors", &tensors_of)
      .def("footprint", &footprint_of, "What the weights take now.")
      .def_property_readonly("closed", [](const Model& model) { return model.handle.closed(); })
      .def(
          "close", [](Model& model) { model.handle.close(); },
          "Lets go of the model; contexts and others made of it keep it as long as they need it.")
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Model& model, const py::args&) { model.handle.close(); });
  bind_adapter(m);
  m.def("check", &check_file, py::arg("path"), "Whether a model file runs here, without loading its weights.");
}

}  // namespace quern_python
