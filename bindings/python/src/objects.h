// The classes of the extension. Each holds a handle of the C interface, and what that stands on is kept by the library.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "calls.h"

namespace quern_python {

struct Runtime {
  std::shared_ptr<quern_runtime> handle;
  py::object log = py::none();  ///< kept alive: the library calls it
  std::shared_ptr<py::object> log_holder;
};

struct Model {
  Handle<quern_model> handle;
  std::shared_ptr<quern_model> get() const { return handle.shared(); }
};

struct Tokenizer {
  std::shared_ptr<quern_model> model;
};

struct TextStream {
  Handle<quern_text_stream> handle;
};

struct ChatTemplate {
  std::shared_ptr<quern_chat_template> handle;
};

struct Adapter {
  Handle<quern_adapter> handle;
};

struct Context {
  Handle<quern_context> handle;
  std::shared_ptr<quern_model> model;
};

struct Sampler {
  Handle<quern_sampler> handle;
};

struct Chat {
  Handle<quern_chat> handle;
  std::shared_ptr<quern_model> model;
};

struct Embedder {
  Handle<quern_embedder> handle;
};

struct Imatrix {
  Handle<quern_imatrix> handle;
};

struct Scheduler {
  std::shared_ptr<quern_scheduler> handle;
  std::shared_ptr<quern_model> model;
};

template <class T, void (*Close)(T*)>
std::shared_ptr<T> own(T* handle) {
  return std::shared_ptr<T>(handle, Closer<T, Close>());
}

void bind_calls(py::module_& m);
void bind_model(py::module_& m);
void bind_text(py::module_& m);
void bind_context(py::module_& m);
void bind_sampler(py::module_& m);
void bind_generate(py::module_& m);
void bind_embed(py::module_& m);
void bind_convert(py::module_& m);
void bind_evaluate(py::module_& m);
void bind_scheduler(py::module_& m);

/// A generation as quern.results.Generation; `steps`: what was told of its tokens, or None.
py::object to_result(const quern_generation* generation, const py::object& logprobs);
/// A step as quern.results.Step.
py::object to_step(quern_token token, const std::string& text, float logprob,
                   const std::vector<quern_token_logprob>& top);

}  // namespace quern_python
