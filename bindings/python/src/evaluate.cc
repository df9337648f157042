// Perplexity, the comparison of models, importance matrices.
#include "objects.h"
#include "options.h"

namespace quern_python {
namespace {

struct PerplexityArgs {
  quern_perplexity_options options = QUERN_PERPLEXITY_OPTIONS_INIT;
  AdapterArgs adapters;
  LongCall call;
  py::object on_window = py::none();

  PerplexityArgs(const char* function, const py::kwargs& given) {
    Kwargs kwargs(function, given);
    kwargs.take("n_ctx", options.n_ctx);
    kwargs.take("n_batch", options.n_batch);
    kwargs.take("max_windows", options.max_windows);
    kwargs.take("on_window", on_window);
    adapters.read(kwargs);
    call.read(kwargs);
    kwargs.finish();
    options.adapters = adapters.uses.empty() ? nullptr : adapters.uses.data();
    options.n_adapters = adapters.uses.size();
    options.progress = call.progress_fn();
    options.progress_user = &call;
    options.cancel = call.cancel();
    if (on_window.is_none()) return;
    options.on_window = window;
    options.on_window_user = this;
  }
  PerplexityArgs(const PerplexityArgs&) = delete;
  PerplexityArgs& operator=(const PerplexityArgs&) = delete;

  static py::object result_of(const quern_perplexity_result& r) {
    return make_result("Perplexity", r.ppl, r.nll, r.nll_stderr, r.n_tokens, r.n_windows);
  }
  static void window(void* user, const quern_perplexity_result* result) {
    auto& self = *static_cast<PerplexityArgs*>(user);
    py::gil_scoped_acquire acquire;
    try {
      self.on_window(result_of(*result));
    } catch (const py::error_already_set& error) {
      self.call.raised.keep(error);
      quern_cancel_token_cancel(self.call.own.handle.get());
    }
  }
};

py::object perplexity(const Model& model, const py::object& given_tokens, const py::kwargs& given) {
  PerplexityArgs args("perplexity", given);
  const auto handle = model.get();
  const auto tokens = tokens_of(given_tokens, handle.get());
  quern_perplexity_result result = QUERN_PERPLEXITY_RESULT_INIT;
  args.call.run([&] { return quern_perplexity(handle.get(), tokens.data(), tokens.size(), &args.options, &result); });
  return PerplexityArgs::result_of(result);
}

py::object compare(const Model& reference, const Model& model, const py::object& given_tokens,
                   const py::kwargs& given) {
  PerplexityArgs args("compare", given);
  const auto first = reference.get(), second = model.get();
  const auto tokens = tokens_of(given_tokens, second.get());
  quern_comparison c = QUERN_COMPARISON_INIT;
  args.call.run(
      [&] { return quern_compare(first.get(), second.get(), tokens.data(), tokens.size(), &args.options, &c); });
  return make_result("Comparison", c.kl_divergence, c.kl_divergence_stderr, c.top1_agreement, c.reference_ppl, c.ppl,
                     c.n_tokens);
}

void collect(const Imatrix& imatrix, const Model& model, const py::object& given_tokens, const py::kwargs& given) {
  Kwargs kwargs("collect", given);
  quern_imatrix_options o = QUERN_IMATRIX_OPTIONS_INIT;
  LongCall long_call;
  std::string dataset;
  kwargs.take("n_ctx", o.n_ctx);
  kwargs.take("n_batch", o.n_batch);
  kwargs.take("first_chunk", o.first_chunk);
  kwargs.take("max_chunks", o.max_chunks);
  kwargs.take_flag("process_output", o.process_output);
  if (kwargs.take("dataset", dataset)) o.dataset = dataset.c_str();
  long_call.read(kwargs);
  kwargs.finish();
  o.progress = long_call.progress_fn();
  o.progress_user = &long_call;
  o.cancel = long_call.cancel();
  const auto handle = model.get();
  const auto tokens = tokens_of(given_tokens, handle.get());
  long_call.run_with<quern_imatrix>(imatrix.handle, [&](quern_imatrix* h) {
    return quern_imatrix_collect(h, handle.get(), tokens.data(), tokens.size(), &o);
  });
}

template <class F>
void change(const Imatrix& imatrix, F&& f) {
  raise_unless_ok(ask(imatrix.handle, [&](quern_imatrix* h) { return outcome_of([&] { return f(h); }); }));
}

quern_imatrix_info info_of(const Imatrix& imatrix) {
  quern_imatrix_info info = QUERN_IMATRIX_INFO_INIT;
  change(imatrix, [&](quern_imatrix* h) { return quern_imatrix_get_info(h, &info); });
  return info;
}

py::list statistics(const Imatrix& imatrix) {
  const uint64_t n = info_of(imatrix).n_tensors;
  py::list out;
  for (uint64_t i = 0; i < n; ++i) {
    quern_imatrix_tensor t = QUERN_IMATRIX_TENSOR_INIT;
    change(imatrix, [&](quern_imatrix* h) { return quern_imatrix_get_tensor(h, i, &t); });
    out.append(make_result("ImatrixTensor", to_text(t.name), t.layer, t.n_values, t.sum, t.min, t.max, t.mean, t.stddev,
                           t.active, t.entropy, t.normalized_entropy, t.zd_score, t.cosine));
  }
  return out;
}

py::list layers(const Imatrix& imatrix) {
  py::list out;
  for (size_t i = 0;; ++i) {
    quern_imatrix_layer layer = QUERN_IMATRIX_LAYER_INIT;
    const Outcome outcome = ask(imatrix.handle, [&](quern_imatrix* h) {
      return outcome_of([&] { return quern_imatrix_get_layer(h, i, &layer); });
    });
    if (outcome.status == QUERN_ERROR_ARGUMENT) return out;
    raise_unless_ok(outcome);
    out.append(make_result("ImatrixLayer", layer.layer, layer.sum, layer.zd_score, layer.cosine));
  }
}

py::object weights(const Imatrix& imatrix, const std::string& tensor) {
  auto values = std::make_shared<std::vector<float>>();
  change(imatrix, [&](quern_imatrix* h) {
    size_t needed = 0;
    const quern_status status = quern_imatrix_weights(h, tensor.c_str(), nullptr, 0, &needed);
    if (status != QUERN_ERROR_BUFFER_TOO_SMALL) return status;
    values->resize(needed);
    return quern_imatrix_weights(h, tensor.c_str(), values->data(), values->size(), &needed);
  });
  return float_array(values->data(), std::nullopt, values->size(), values);
}

void bind_imatrix(py::module_& m) {
  py::class_<Imatrix>(m, "Imatrix",
                      "Imatrix(path=None): which input columns of a model's weights matter; a file, or empty.")
      .def(py::init([](const py::object& path) {
             quern_imatrix* made = nullptr;
             if (path.is_none()) {
               call([&] { return quern_imatrix_create(&made); });
             } else {
               const std::string name = path_of(path);
               call([&] { return quern_imatrix_open(name.c_str(), &made); });
             }
             return Imatrix{{own<quern_imatrix, quern_imatrix_close>(made), "Imatrix"}};
           }),
           py::arg("path") = py::none())
      .def("collect", &collect, py::arg("model"), py::arg("tokens"),
           "collect(model, tokens, *, n_ctx=512, n_batch=512, first_chunk=0, max_chunks=None, process_output=False, "
           "dataset=None, progress=None, cancel=None): adds what the model's weights are multiplied with while it "
           "reads.")
      .def(
          "merge",
          [](const Imatrix& imatrix, const Imatrix& other) {
            const auto from = other.handle.inner();
            if (from == imatrix.handle.inner()) throw py::value_error("merge(): a matrix and itself");
            change(imatrix, [&](quern_imatrix* h) {
              Hold hold(*from);
              return quern_imatrix_merge(h, from->handle.get());
            });
          },
          py::arg("other"))
      .def(
          "save",
          [](const Imatrix& imatrix, const py::object& path, const std::string& format) {
            if (format != "gguf" && format != "dat") {
              throw py::value_error("format: '" + format + "' is not one of gguf, dat");
            }
            const std::string name = path_of(path);
            change(imatrix, [&](quern_imatrix* h) {
              return quern_imatrix_save(h, name.c_str(), format == "dat" ? QUERN_IMATRIX_DAT : QUERN_IMATRIX_GGUF);
            });
          },
          py::arg("path"), py::arg("format") = "gguf")
      .def_property_readonly("n_chunks", [](const Imatrix& i) { return info_of(i).n_chunks; })
      .def_property_readonly("chunk_size", [](const Imatrix& i) { return info_of(i).chunk_size; })
      .def_property_readonly("n_tensors", [](const Imatrix& i) { return info_of(i).n_tensors; })
      .def_property_readonly("datasets",
                             [](const Imatrix& imatrix) {
                               std::vector<std::string> all;
                               ask(imatrix.handle, [&](quern_imatrix* h) {
                                 for (size_t i = 0; const char* name = quern_imatrix_dataset(h, i); ++i) {
                                   all.emplace_back(name);
                                 }
                                 return 0;
                               });
                               return all;
                             })
      .def("weights", &weights, py::arg("tensor"), "float32: the mean squares for one weight; empty if there are none.")
      .def("statistics", &statistics)
      .def("layer_statistics", &layers)
      .def("close", [](Imatrix& imatrix) { imatrix.handle.close(); })
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Imatrix& imatrix, const py::args&) { imatrix.handle.close(); });
}

}  // namespace

void bind_evaluate(py::module_& m) {
  bind_imatrix(m);
  m.def("perplexity", &perplexity, py::arg("model"), py::arg("tokens"),
        "perplexity(model, tokens, *, n_ctx=512, n_batch=512, max_windows=None, on_window=None, adapters=None, "
        "progress=None, cancel=None): how well a model predicts tokens, or a text.");
  m.def("compare", &compare, py::arg("reference"), py::arg("model"), py::arg("tokens"),
        "How far a model is from another one of the same vocabulary. Keywords as of perplexity().");
  m.def(
      "cosine_similarity",
      [](const py::buffer& a, const py::buffer& b) {
        const py::buffer_info x = a.request(), y = b.request();
        for (const py::buffer_info* info : {&x, &y}) {
          if (info->format != py::format_descriptor<float>::format() || info->ndim != 1 ||
              info->strides[0] != sizeof(float)) {
            throw py::type_error("cosine_similarity(): contiguous arrays of float32 expected");
          }
        }
        if (x.size != y.size) throw py::value_error("cosine_similarity(): the vectors have different lengths");
        return quern_cosine_similarity(static_cast<const float*>(x.ptr), static_cast<const float*>(y.ptr),
                                       static_cast<size_t>(x.size));
      },
      py::arg("a"), py::arg("b"));
}

}  // namespace quern_python
