// Chat templates.
#include "capi/src/door.h"

using namespace quern::capi;

namespace {

quern_status read_messages(const quern_chat_message* messages, size_t n, std::vector<quern::ChatMessage>& out) {
  QUERN_C_CHECK(check_array(messages, n, "messages"));
  for (size_t i = 0; i < n; ++i) {
    if (messages[i].role == nullptr)
      return refuse(quern::Errc::argument, "messages[" + std::to_string(i) + "].role is NULL");
    std::string_view content;
    QUERN_C_CHECK(read_text(messages[i].content, messages[i].content_size, "content of a message", content));
    out.push_back({messages[i].role, std::string(content)});
  }
  return QUERN_OK;
}

quern_status read_template_options(const quern_template_options* given, quern::ChatOptions& out) {
  quern_template_options o = QUERN_TEMPLATE_OPTIONS_INIT;
  QUERN_C_CHECK(read_options(given, o, "quern_template_options"));
  out.add_generation_prompt = o.no_generation_prompt == 0;
  if (o.extra_json) out.extra_json = o.extra_json;
  return QUERN_OK;
}

}  // namespace

extern "C" {

quern_status quern_chat_template_from_model(const quern_model* model, quern_chat_template** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(model);
  return guard([&] {
    auto made = quern::ChatTemplate::from_model(model->model);
    if (!made) return refuse(made.error());
    *out = new quern_chat_template{std::move(*made)};
    return QUERN_OK;
  });
}

quern_status quern_chat_template_from_source(const quern_model* model, const char* jinja, size_t size,
                                             quern_chat_template** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(model);
  return guard([&] {
    std::string_view source;
    QUERN_C_CHECK(read_text(jinja, size, "jinja", source));
    auto made = quern::ChatTemplate::from_source(model->model, source);
    if (!made) return refuse(made.error());
    *out = new quern_chat_template{std::move(*made)};
    return QUERN_OK;
  });
}

quern_status quern_chat_template_render(const quern_chat_template* chat_template, const quern_chat_message* messages,
                                        size_t n_messages, const quern_template_options* options, char* buffer,
                                        size_t capacity, size_t* needed) {
  QUERN_C_NEED(chat_template);
  QUERN_C_NEED(needed);
  *needed = 0;
  return guard([&] {
    std::vector<quern::ChatMessage> conversation;
    QUERN_C_CHECK(read_messages(messages, n_messages, conversation));
    quern::ChatOptions wanted;
    QUERN_C_CHECK(read_template_options(options, wanted));
    const auto text = chat_template->chat_template.render(conversation, wanted);
    return text ? write_text(*text, buffer, capacity, needed) : refuse(text.error());
  });
}

quern_status quern_chat_template_tokenize(const quern_chat_template* chat_template, const quern_chat_message* messages,
                                          size_t n_messages, const quern_template_options* options, quern_token* buffer,
                                          size_t capacity, size_t* needed) {
  QUERN_C_NEED(chat_template);
  QUERN_C_NEED(needed);
  *needed = 0;
  return guard([&] {
    std::vector<quern::ChatMessage> conversation;
    QUERN_C_CHECK(read_messages(messages, n_messages, conversation));
    quern::ChatOptions wanted;
    QUERN_C_CHECK(read_template_options(options, wanted));
    const auto tokens = chat_template->chat_template.tokenize(conversation, wanted);
    return tokens ? write_array(tokens->data(), tokens->size(), buffer, capacity, needed) : refuse(tokens.error());
  });
}

void quern_chat_template_close(quern_chat_template* chat_template) { delete chat_template; }

}  // extern "C"
