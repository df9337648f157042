// Samplers.
#include "objects.h"
#include "options.h"

namespace quern_python {
namespace {

/// Floats of a NumPy array or another buffer, as they lie in memory where they lie together.
struct FloatsOf {
  py::buffer_info info;
  const float* data = nullptr;
  size_t size = 0;

  explicit FloatsOf(const py::object& value) {
    const py::object array =
        py::module_::import("numpy").attr("ascontiguousarray")(value, py::arg("dtype") = "float32");
    info = py::reinterpret_borrow<py::buffer>(array).request();
    if (info.ndim != 1)
      throw py::value_error("logits: one row expected, not an array of " + std::to_string(info.ndim) + " dimensions");
    data = static_cast<const float*>(info.ptr);
    size = static_cast<size_t>(info.size);
  }
};

}  // namespace

void bind_sampler(py::module_& m) {
  py::class_<Sampler>(m, "Sampler",
                      "Sampler(model, *, seed=None, temperature=0.8, top_k=40, top_p=0.95, min_p=0.05, ...)\n\n"
                      "Chooses the next token. temperature <= 0 is greedy. One per sequence.")
      .def(py::init([](const Model& model, const py::kwargs& given) {
             Kwargs kwargs("Sampler", given);
             SamplerArgs args;
             args.read(kwargs);
             kwargs.finish();
             const auto handle = model.get();
             quern_sampler* made = nullptr;
             call([&] { return quern_sampler_create(handle.get(), args.get(), &made); });
             return Sampler{{own<quern_sampler, quern_sampler_close>(made), "Sampler"}};
           }),
           py::arg("model"))
      .def(
          "sample",
          [](const Sampler& sampler, const py::object& logits) {
            const FloatsOf row(logits);
            quern_token token = -1;
            raise_unless_ok(ask(sampler.handle, [&](quern_sampler* h) {
              return outcome_of([&] { return quern_sampler_sample(h, row.data, row.size, &token); });
            }));
            return token;
          },
          py::arg("logits"), "A token chosen from logits [n_vocab]. The history stays as it is.")
      .def(
          "accept",
          [](const Sampler& sampler, quern_token token) {
            ask(sampler.handle, [&](quern_sampler* h) { return quern_sampler_accept(h, token), 0; });
          },
          py::arg("token"), "Adds a token to the history that penalties look at.")
      .def("reset",
           [](const Sampler& sampler) {
             ask(sampler.handle, [](quern_sampler* h) { return quern_sampler_reset(h), 0; });
           })
      .def_property_readonly("seed",
                             [](const Sampler& sampler) {
                               return ask(sampler.handle, [](quern_sampler* h) { return quern_sampler_seed(h); });
                             })
      .def(
          "candidates",
          [](const Sampler& sampler, size_t max_count) {
            std::vector<quern_token_probability> all(max_count);
            size_t n = 0;
            raise_unless_ok(ask(sampler.handle, [&](quern_sampler* h) {
              return outcome_of([&] { return quern_sampler_candidates(h, all.data(), all.size(), &n); });
            }));
            py::list out;
            for (size_t i = 0; i < n; ++i) out.append(py::make_tuple(all[i].token, all[i].probability));
            return out;
          },
          py::arg("max_count") = 40, "[(token, probability)] that the last sample() chose from, most probable first.")
      .def("close", [](Sampler& sampler) { sampler.handle.close(); })
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Sampler& sampler, const py::args&) { sampler.handle.close(); });
}

}  // namespace quern_python
