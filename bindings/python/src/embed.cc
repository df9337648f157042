// Embeddings.
#include "objects.h"
#include "options.h"

namespace quern_python {
namespace {

int32_t pooling_of(const std::string& name) {
  if (name == "from_model") return QUERN_POOLING_FROM_MODEL;
  if (name == "none") return QUERN_POOLING_NONE;
  if (name == "mean") return QUERN_POOLING_MEAN;
  if (name == "cls") return QUERN_POOLING_CLS;
  if (name == "last") return QUERN_POOLING_LAST;
  throw py::value_error("pooling: '" + name + "' is not one of from_model, none, mean, cls, last");
}

const char* pooling_name(int32_t pooling) {
  switch (pooling) {
    case QUERN_POOLING_MEAN:
      return "mean";
    case QUERN_POOLING_CLS:
      return "cls";
    case QUERN_POOLING_LAST:
      return "last";
    default:
      return "none";
  }
}

Embedder create_embedder(const Model& model, const py::kwargs& given) {
  Kwargs kwargs("Embedder", given);
  quern_embedder_options o = QUERN_EMBEDDER_OPTIONS_INIT;
  std::string pooling;
  AdapterArgs adapters;
  if (kwargs.take("pooling", pooling)) o.pooling = pooling_of(pooling);
  kwargs.take("normalize", o.normalize);
  kwargs.take("n_batch", o.n_batch);
  adapters.read(kwargs);
  kwargs.finish();
  o.adapters = adapters.uses.empty() ? nullptr : adapters.uses.data();
  o.n_adapters = adapters.uses.size();
  const auto handle = model.get();
  quern_embedder* made = nullptr;
  call([&] { return quern_embedder_create(handle.get(), &o, &made); });
  return {{own<quern_embedder, quern_embedder_close>(made), "Embedder"}};
}

bool is_text(const py::handle& value) { return py::isinstance<py::str>(value); }
bool is_integer(const py::handle& value) { return PyIndex_Check(value.ptr()) != 0; }

/// Texts as texts or as tokens, as they were given.
struct Inputs {
  bool single = false;
  std::vector<std::string> texts;
  std::vector<quern_token> tokens;
  std::vector<size_t> lengths;

  explicit Inputs(const py::object& given) {
    if (is_text(given)) {
      single = true;
      texts.push_back(given.cast<std::string>());
      return;
    }
    const py::list all(py::hasattr(given, "tolist") ? py::object(given.attr("tolist")()) : given);
    if (!all.empty() && is_integer(all[0])) {
      single = true;
      tokens = tokens_of(all);
      lengths.push_back(tokens.size());
      return;
    }
    for (const auto& one : all) {
      if (is_text(one)) {
        texts.push_back(one.cast<std::string>());
      } else {
        const auto ids = tokens_of(py::reinterpret_borrow<py::object>(one));
        tokens.insert(tokens.end(), ids.begin(), ids.end());
        lengths.push_back(ids.size());
      }
    }
    if (!texts.empty() && !lengths.empty()) throw py::type_error("embed(): texts and lists of tokens are mixed");
  }
};

py::object embed(const Embedder& embedder, const py::object& given_texts, const py::kwargs& given) {
  Kwargs kwargs("embed", given);
  LongCall long_call;
  long_call.read(kwargs);
  kwargs.finish();
  const Inputs inputs(given_texts);
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const auto& text : inputs.texts) {
    texts.push_back(text.data());
    sizes.push_back(text.size());
  }
  quern_embed_options o{sizeof(quern_embed_options), long_call.progress_fn(), &long_call, long_call.cancel()};
  quern_embeddings* made = nullptr;
  bool pooled = false;
  long_call.run_with<quern_embedder>(embedder.handle, [&](quern_embedder* h) {
    pooled = quern_embedder_pooling(h) != QUERN_POOLING_NONE;
    const quern_status status =
        inputs.lengths.empty()
            ? quern_embedder_embed(h, texts.data(), sizes.data(), texts.size(), &o)
            : quern_embedder_embed_tokens(h, inputs.tokens.data(), inputs.lengths.data(), inputs.lengths.size(), &o);
    return status == QUERN_OK ? quern_embedder_take(h, &made) : status;
  });
  const auto vectors = own<quern_embeddings, quern_embeddings_close>(made);
  py::list out;
  for (size_t i = 0; i < quern_embeddings_n_texts(vectors.get()); ++i) {
    size_t n_rows = 0;
    const float* values = quern_embeddings_get(vectors.get(), i, &n_rows, nullptr);
    out.append(float_array(values, pooled ? std::nullopt : std::optional<size_t>(n_rows),
                           quern_embeddings_n_embd(vectors.get()), vectors));
  }
  return inputs.single ? py::object(out[0]) : py::object(out);
}

}  // namespace

void bind_embed(py::module_& m) {
  py::class_<Embedder>(m, "Embedder",
                       "Embedder(model, *, pooling='from_model', normalize=2, n_batch=0, adapters=None)\n\n"
                       "Texts to vectors. One thread uses it at a time; others wait.")
      .def(py::init(&create_embedder), py::arg("model"))
      .def("embed", &embed, py::arg("texts"),
           "embed(texts, *, progress=None, cancel=None): float32 [n_embd] for a text or a list of tokens (without "
           "pooling "
           "[n_tokens, n_embd]), a list of them for a list. Read-only, not copied, and kept when more is embedded.")
      .def_property_readonly("pooling",
                             [](const Embedder& e) {
                               return ask(e.handle,
                                          [](quern_embedder* h) { return pooling_name(quern_embedder_pooling(h)); });
                             })
      .def_property_readonly(
          "n_embd",
          [](const Embedder& e) { return ask(e.handle, [](quern_embedder* h) { return quern_embedder_n_embd(h); }); })
      .def_property_readonly(
          "n_batch",
          [](const Embedder& e) { return ask(e.handle, [](quern_embedder* h) { return quern_embedder_n_batch(h); }); })
      .def("close", [](Embedder& e) { e.handle.close(); })
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Embedder& e, const py::args&) { e.handle.close(); });
}

}  // namespace quern_python
