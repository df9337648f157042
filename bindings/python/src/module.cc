// The extension module quern._quern: the C interface as Python classes.
#include "objects.h"

PYBIND11_MODULE(_quern, m) {
  using namespace quern_python;
  m.doc() = "Quern's C interface as Python classes; use them from the package quern.";
  if (quern_abi_version() != QUERN_C_ABI_VERSION) {
    throw py::import_error("libquern_c has another ABI version than the one that this module was built for");
  }
  bind_calls(m);
  bind_model(m);
  bind_text(m);
  bind_sampler(m);
  bind_context(m);
  bind_generate(m);
  bind_embed(m);
  bind_evaluate(m);
  bind_convert(m);
  bind_scheduler(m);
  m.def(
      "version", [] { return std::string(quern_version()); }, "The release of the library that runs.");
  m.def(
      "abi_version", [] { return quern_abi_version(); }, "The version of its C interface.");
  m.def("status_name", [](quern_status status) { return std::string(quern_status_name(status)); });
}
