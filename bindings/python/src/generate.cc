// Generation: whole answers, streams of tokens, conversations.
#include "objects.h"
#include "options.h"
#include "stream.h"

namespace quern_python {
namespace {

const char* reason_name(int32_t reason) {
  switch (reason) {
    case QUERN_STOP_LENGTH:
      return "length";
    case QUERN_STOP_END_OF_GENERATION:
      return "end_of_generation";
    case QUERN_STOP_TEXT:
      return "stop_text";
    case QUERN_STOP_CANCELLED:
      return "cancelled";
    case QUERN_STOP_CONTEXT_FULL:
      return "context_full";
    default:
      return "unknown";
  }
}

/// What the callbacks of a call that is not a stream need.
struct Told {
  GenerateArgs* args = nullptr;
  const quern_model* model = nullptr;
  py::object on_token = py::none();
  std::vector<Step> steps;  ///< where probabilities are wanted

  static int on_step(void* user, const quern_step* step) {
    auto& self = *static_cast<Told*>(user);
    Step made{step->token, step->logprob, {step->text, step->size}, {step->top, step->top + step->n_top}};
    int stop = 0;
    if (!self.on_token.is_none()) {
      py::gil_scoped_acquire acquire;
      try {
        const py::object answer = self.on_token(to_step(made.token, made.text, made.logprob, made.top));
        stop = answer.ptr() == Py_False ? 1 : 0;
      } catch (const py::error_already_set& error) {
        self.args->call.raised.keep(error);
        stop = 1;
      }
    }
    if (self.args->logprobs && made.token >= 0) self.steps.push_back(std::move(made));
    return stop;
  }
};

py::object nothing() {
  return make_result("Generation", py::list(), "", "length", make_result("Timings", 0, 0, 0, 0.0, 0.0), py::none());
}

/// Runs a generation to its end. `generate` uses the handle with the options.
template <class T, class Generate>
py::object run(const Handle<T>& handle, const std::shared_ptr<quern_model>& model, GenerateArgs& args,
               const py::object& on_token, Generate&& generate) {
  if (args.nothing) return nothing();
  Told told;
  told.args = &args;
  told.model = model.get();
  told.on_token = on_token;
  quern_generate_options o = args.get();
  if (args.logprobs || !on_token.is_none()) {
    o.on_step = Told::on_step;
    o.on_step_user = &told;
  }
  quern_generation* made = nullptr;
  args.call.template run_with<T>(handle, [&](T* h) { return generate(h, &o, &made); });
  const auto generation = own<quern_generation, quern_generation_close>(made);
  py::object logprobs = py::none();
  if (args.logprobs) {
    py::list all;
    for (const Step& s : told.steps) all.append(to_step(s.token, s.text, s.logprob, s.top));
    logprobs = all;
  }
  return to_result(generation.get(), logprobs);
}

std::unique_ptr<GenerateArgs> read_args(const char* function, const py::kwargs& given, py::object* on_token) {
  Kwargs kwargs(function, given);
  auto args = std::make_unique<GenerateArgs>();
  args->read(kwargs);
  if (on_token) kwargs.take("on_token", *on_token);
  kwargs.finish();
  return args;
}

py::object generate(const Context& context, const py::object& prompt, const py::kwargs& given) {
  py::object on_token = py::none();
  const auto args = read_args("generate", given, &on_token);
  const auto tokens = tokens_of(prompt, context.model.get());
  return run(context.handle, context.model, *args, on_token,
             [&](quern_context* h, const quern_generate_options* o, quern_generation** out) {
               return quern_generate(h, tokens.data(), tokens.size(), o, out);
             });
}

/// A stream over a handle, which is held by the stream's thread as long as that computes.
template <class T, class Generate>
std::unique_ptr<Stream> start(const Handle<T>& handle, std::unique_ptr<GenerateArgs> args,
                              const std::shared_ptr<quern_model>& model, Generate generate) {
  const auto inner = handle.inner();
  const std::shared_ptr<std::atomic<bool>> streaming(inner, &inner->streaming);
  return std::make_unique<Stream>(
      std::move(args), streaming,
      [inner, generate](const quern_generate_options* o, quern_generation** out) {
        Hold hold(*inner);
        return generate(inner->handle.get(), o, out);
      },
      model);
}

std::unique_ptr<Stream> stream(const Context& context, const py::object& prompt, const py::kwargs& given) {
  auto args = read_args("stream", given, nullptr);
  return start(context.handle, std::move(args), context.model,
               [tokens = tokens_of(prompt, context.model.get())](quern_context* h, const quern_generate_options* o,
                                                                 quern_generation** out) {
                 return quern_generate(h, tokens.data(), tokens.size(), o, out);
               });
}

Chat create_chat(const Model& model, const std::optional<std::string>& system, const py::kwargs& given) {
  Kwargs kwargs("Chat", given);
  ContextArgs args;
  args.read(kwargs);
  AdapterArgs adapters;
  adapters.read(kwargs);
  kwargs.finish();
  const auto handle = model.get();
  quern_chat* made = nullptr;
  call([&] {
    return quern_chat_create(handle.get(), &args.options, system ? system->data() : nullptr,
                             system ? system->size() : 0, &made);
  });
  Chat chat{{own<quern_chat, quern_chat_close>(made), "Chat"}, handle};
  if (adapters.given) {
    call([&] { return quern_context_set_adapters(quern_chat_context(made), 0, adapters.get(), adapters.uses.size()); });
  }
  return chat;
}

py::object send(const Chat& chat, const std::string& message, const py::kwargs& given) {
  py::object on_token = py::none();
  const auto args = read_args("send", given, &on_token);
  if (args->nothing) throw py::value_error("send(): max_tokens is 0");
  return run(chat.handle, chat.model, *args, on_token,
             [&](quern_chat* h, const quern_generate_options* o, quern_generation** out) {
               return quern_chat_send(h, message.data(), message.size(), o, out);
             });
}

std::unique_ptr<Stream> stream_chat(const Chat& chat, const std::string& message, const py::kwargs& given) {
  auto args = read_args("stream", given, nullptr);
  if (args->nothing) throw py::value_error("stream(): max_tokens is 0");
  return start(chat.handle, std::move(args), chat.model,
               [message](quern_chat* h, const quern_generate_options* o, quern_generation** out) {
                 return quern_chat_send(h, message.data(), message.size(), o, out);
               });
}

py::list messages(const Chat& chat) {
  std::vector<std::pair<std::string, std::string>> all;
  raise_unless_ok(ask(chat.handle, [&](quern_chat* h) {
    return outcome_of([&] {
      for (size_t i = 0; i < quern_chat_n_messages(h); ++i) {
        quern_chat_message message;
        const quern_status status = quern_chat_get_message(h, i, &message);
        if (status != QUERN_OK) return status;
        all.emplace_back(message.role, std::string(message.content, message.content_size));
      }
      return QUERN_OK;
    });
  }));
  py::list out;
  for (const auto& [role, content] : all) {
    py::dict message;
    message["role"] = to_text(role.data(), role.size());
    message["content"] = to_text(content.data(), content.size());
    out.append(message);
  }
  return out;
}

void bind_chat(py::module_& m) {
  py::class_<Chat>(m, "Chat",
                   "Chat(model, system=None, *, n_ctx=0, ...): a conversation, which keeps the messages, renders the "
                   "model's template and reuses a cache of its own. Keywords as of Context.")
      .def(py::init(&create_chat), py::arg("model"), py::arg("system") = py::none())
      .def("send", &send, py::arg("message"),
           "send(message, *, on_token=None, ...): adds the message and the answer, which it returns as a Generation. "
           "Keywords as of Context.generate().")
      .def("stream", &stream_chat, py::arg("message"), "The same, as an iterator of steps.")
      .def_property_readonly("messages", &messages)
      .def(
          "undo", [](const Chat& chat) { ask(chat.handle, [](quern_chat* h) { return quern_chat_undo(h), 0; }); },
          "Takes back the last question and its answer.")
      .def(
          "clear", [](const Chat& chat) { ask(chat.handle, [](quern_chat* h) { return quern_chat_clear(h), 0; }); },
          "Forgets all but the system prompt.")
      .def_property_readonly("n_ctx",
                             [](const Chat& chat) {
                               return ask(chat.handle,
                                          [](quern_chat* h) { return quern_context_n_ctx(quern_chat_context(h)); });
                             })
      .def_property_readonly("n_used",
                             [](const Chat& chat) {
                               return ask(chat.handle,
                                          [](quern_chat* h) { return quern_context_n_used(quern_chat_context(h)); });
                             })
      .def("close", [](Chat& chat) { chat.handle.close(); })
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Chat& chat, const py::args&) { chat.handle.close(); });
}

}  // namespace

py::object to_result(const quern_generation* generation, const py::object& logprobs) {
  size_t size = 0, n = 0;
  const char* text = quern_generation_text(generation, &size);
  const quern_token* tokens = quern_generation_tokens(generation, &n);
  quern_timings t = QUERN_TIMINGS_INIT;
  call([&] { return quern_generation_get_timings(generation, &t); });
  py::object told = logprobs;
  // Tokens that belong to a stop text have been told, and are not in the output.
  if (!told.is_none() && py::len(told) > n) told = told[py::slice(0, static_cast<py::ssize_t>(n), 1)];
  return make_result(
      "Generation", std::vector<quern_token>(tokens, tokens + n), to_text(text, size),
      reason_name(quern_generation_stop_reason(generation)),
      make_result("Timings", t.n_prompt, t.n_cached, t.n_generated, t.prompt_seconds, t.generate_seconds), told);
}

py::object to_step(quern_token token, const std::string& text, float logprob,
                   const std::vector<quern_token_logprob>& top) {
  py::list all;
  for (const auto& one : top) all.append(py::make_tuple(one.token, one.logprob));
  return make_result("Step", token, to_text(text.data(), text.size()), logprob, all);
}

void bind_generate(py::module_& m) {
  py::class_<Stream>(
      m, "Stream",
      "An iterator of steps. The model computes at most one token ahead. close() or the end of a with block "
      "ends it early.")
      .def("__iter__", [](py::object self) { return self; })
      .def("__next__", &Stream::next)
      .def_property_readonly("generation", &Stream::generation, "The Generation, once the stream has ended; else None.")
      .def("close", &Stream::close)
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Stream& s, const py::args&) { s.close(); });
  bind_chat(m);
  const py::object context = m.attr("Context");
  const auto add = [&](const char* name, auto function, const char* doc) {
    context.attr(name) =
        py::cpp_function(function, py::name(name), py::is_method(context), py::arg("prompt"), py::doc(doc));
  };
  add("generate", &generate,
      "generate(prompt, *, max_tokens=None, stop=(), on_token=None, progress=None, cancel=None, logprobs=None, "
      "adapters=None, <options of Sampler>): continues tokens, or a text, on sequence 0. What the sequence holds in "
      "common with the prompt is not computed again.");
  add("stream", &stream, "The same without on_token, as an iterator of steps.");
}

}  // namespace quern_python
