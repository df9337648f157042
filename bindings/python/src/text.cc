// Tokenizer, text streams, chat templates.
#include "objects.h"
#include "options.h"

namespace quern_python {
namespace {

py::bytes piece_of(const Tokenizer& t, quern_token token, bool special) {
  std::string text(64, '\0');
  size_t needed = 0;
  while (true) {
    const Outcome outcome = outcome_of(
        [&] { return quern_token_piece(t.model.get(), token, special ? 1 : 0, text.data(), text.size(), &needed); });
    if (outcome.status != QUERN_ERROR_BUFFER_TOO_SMALL) {
      raise_unless_ok(outcome);
      break;
    }
    text.resize(needed);
  }
  return py::bytes(text.data(), needed - 1);
}

void bind_tokenizer(py::module_& m) {
  py::class_<Tokenizer>(m, "Tokenizer", "A view of a model's tokenizer, which keeps the model. Any thread may use it.")
      .def(
          "tokenize",
          [](const Tokenizer& t, const py::object& text, bool add_special, bool parse_special) {
            if (!py::isinstance<py::str>(text) && !py::isinstance<py::bytes>(text)) {
              throw py::type_error("tokenize(): str or bytes expected, not " + std::string(py::repr(text.get_type())));
            }
            const uint32_t flags =
                (add_special ? QUERN_TOKENIZE_ADD_SPECIAL : 0) | (parse_special ? QUERN_TOKENIZE_PARSE_SPECIAL : 0);
            return tokenize(t.model.get(), text.cast<std::string>(), flags);
          },
          py::arg("text"), py::kw_only(), py::arg("add_special") = true, py::arg("parse_special") = false)
      .def(
          "detokenize",
          [](const Tokenizer& t, const py::object& tokens, bool special) {
            const std::string text = detokenize(t.model.get(), tokens_of(tokens), special);
            return to_text(text.data(), text.size());
          },
          py::arg("tokens"), py::kw_only(), py::arg("special") = false)
      .def(
          "detokenize_bytes",
          [](const Tokenizer& t, const py::object& tokens, bool special) {
            return py::bytes(detokenize(t.model.get(), tokens_of(tokens), special));
          },
          py::arg("tokens"), py::kw_only(), py::arg("special") = false)
      .def("piece", &piece_of, py::arg("token"), py::kw_only(), py::arg("special") = false,
           "The bytes of one token, possibly part of a character.")
      .def_property_readonly("n_tokens", [](const Tokenizer& t) { return quern_n_tokens(t.model.get()); })
      .def("__len__", [](const Tokenizer& t) { return quern_n_tokens(t.model.get()); })
      .def_property_readonly("bos", [](const Tokenizer& t) { return quern_token_bos(t.model.get()); })
      .def_property_readonly("eos", [](const Tokenizer& t) { return quern_token_eos(t.model.get()); })
      .def_property_readonly("adds_bos", [](const Tokenizer& t) { return quern_adds_bos(t.model.get()) != 0; })
      .def(
          "is_end", [](const Tokenizer& t, quern_token token) { return quern_token_is_end(t.model.get(), token) != 0; },
          py::arg("token"))
      .def(
          "is_control",
          [](const Tokenizer& t, quern_token token) { return quern_token_is_control(t.model.get(), token) != 0; },
          py::arg("token"))
      .def(
          "find",
          [](const Tokenizer& t, const std::string& text) {
            return quern_token_find(t.model.get(), text.data(), text.size());
          },
          py::arg("text"), "The token of this exact vocabulary text, or -1.")
      .def("stream", [](const Tokenizer& t) {
        quern_text_stream* made = nullptr;
        call([&] { return quern_text_stream_create(t.model.get(), &made); });
        return TextStream{{own<quern_text_stream, quern_text_stream_close>(made), "TextStream"}};
      });
  py::class_<TextStream>(m, "TextStream", "Turns a stream of tokens into text that never ends inside a character.")
      .def(py::init([](const Model& model) {
             const auto handle = model.get();
             quern_text_stream* made = nullptr;
             call([&] { return quern_text_stream_create(handle.get(), &made); });
             return TextStream{{own<quern_text_stream, quern_text_stream_close>(made), "TextStream"}};
           }),
           py::arg("model"))
      .def(
          "push",
          [](const TextStream& stream, quern_token token) {
            const auto handle = stream.handle.shared();
            const char* text = nullptr;
            size_t size = 0;
            call([&] { return quern_text_stream_push(handle.get(), token, &text, &size); });
            return to_text(text, size);
          },
          py::arg("token"))
      .def("finish", [](const TextStream& stream) {
        const auto handle = stream.handle.shared();
        const char* text = nullptr;
        size_t size = 0;
        call([&] { return quern_text_stream_finish(handle.get(), &text, &size); });
        return to_text(text, size);
      });
}

/// A conversation as C wants it.
struct Messages {
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<quern_chat_message> messages;

  explicit Messages(const py::object& given) {
    for (const auto& one : given) {
      py::object role, content;
      if (py::isinstance<py::dict>(one)) {
        const auto message = py::reinterpret_borrow<py::dict>(one);
        for (const char* key : {"role", "content"}) {
          if (!message.contains(key)) throw py::value_error(std::string("a message has no '") + key + "'");
        }
        role = message["role"];
        content = message["content"];
      } else {
        role = one.attr("role");
        content = one.attr("content");
      }
      if (!py::isinstance<py::str>(role) || !py::isinstance<py::str>(content)) {
        throw py::type_error("role and content of a message: str expected");
      }
      texts.emplace_back(role.cast<std::string>(), content.cast<std::string>());
    }
    for (const auto& [role, content] : texts) messages.push_back({role.c_str(), content.data(), content.size()});
  }
};

struct TemplateArgs {
  quern_template_options options = QUERN_TEMPLATE_OPTIONS_INIT;
  std::string extra;
  TemplateArgs(bool add_generation_prompt, const py::object& extra_variables) {
    options.no_generation_prompt = add_generation_prompt ? 0 : 1;
    if (extra_variables.is_none()) return;
    extra = py::module_::import("json").attr("dumps")(extra_variables).cast<std::string>();
    options.extra_json = extra.c_str();
  }
};

}  // namespace

void bind_text(py::module_& m) {
  bind_tokenizer(m);
  py::class_<ChatTemplate>(m, "ChatTemplate",
                           "ChatTemplate(model, source=None): how a model wants conversations written down; its own "
                           "template (ChatML where it has none), or one given as Jinja. Any thread may use it.")
      .def(py::init([](const Model& model, const std::optional<std::string>& source) {
             const auto handle = model.get();
             quern_chat_template* made = nullptr;
             call([&] {
               return source ? quern_chat_template_from_source(handle.get(), source->data(), source->size(), &made)
                             : quern_chat_template_from_model(handle.get(), &made);
             });
             return ChatTemplate{own<quern_chat_template, quern_chat_template_close>(made)};
           }),
           py::arg("model"), py::arg("source") = py::none())
      .def(
          "render",
          [](const ChatTemplate& t, const py::object& messages, bool add_generation_prompt, const py::object& extra) {
            const Messages all(messages);
            const TemplateArgs args(add_generation_prompt, extra);
            std::string text(4096, '\0');
            size_t needed = 0;
            Outcome outcome;
            while (true) {
              outcome = outcome_of([&] {
                return quern_chat_template_render(t.handle.get(), all.messages.data(), all.messages.size(),
                                                  &args.options, text.data(), text.size(), &needed);
              });
              if (outcome.status != QUERN_ERROR_BUFFER_TOO_SMALL) break;
              text.resize(needed);
            }
            raise_unless_ok(outcome);
            return to_text(text.data(), needed - 1);
          },
          py::arg("messages"), py::kw_only(), py::arg("add_generation_prompt") = true, py::arg("extra") = py::none())
      .def(
          "tokenize",
          [](const ChatTemplate& t, const py::object& messages, bool add_generation_prompt, const py::object& extra) {
            const Messages all(messages);
            const TemplateArgs args(add_generation_prompt, extra);
            std::vector<quern_token> tokens(1024);
            size_t needed = 0;
            Outcome outcome;
            while (true) {
              outcome = outcome_of([&] {
                return quern_chat_template_tokenize(t.handle.get(), all.messages.data(), all.messages.size(),
                                                    &args.options, tokens.data(), tokens.size(), &needed);
              });
              if (outcome.status != QUERN_ERROR_BUFFER_TOO_SMALL) break;
              tokens.resize(needed);
            }
            raise_unless_ok(outcome);
            tokens.resize(needed);
            return tokens;
          },
          py::arg("messages"), py::kw_only(), py::arg("add_generation_prompt") = true, py::arg("extra") = py::none());
}

}  // namespace quern_python
