// Conversations.
#include "capi/src/door.h"

using namespace quern::capi;

extern "C" {

quern_status quern_chat_create(const quern_model* model, const quern_context_options* options,
                               const char* system_prompt, size_t size, quern_chat** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(model);
  return guard([&] {
    std::string_view system;
    QUERN_C_CHECK(read_text(system_prompt, size, "system_prompt", system));
    quern::ContextOptions wanted;
    QUERN_C_CHECK(read_context_options(options, wanted));
    auto context = quern::Context::create(model->model, wanted);
    if (!context) return refuse(context.error());
    auto session = quern::ChatSession::create(std::move(*context), system);
    if (!session) return refuse(session.error());
    auto* chat = new quern_chat{std::move(*session), {}};
    chat->context.context = &chat->session.context();
    *out = chat;
    return QUERN_OK;
  });
}

quern_status quern_chat_send(quern_chat* chat, const char* message, size_t size, const quern_generate_options* options,
                             quern_generation** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(chat);
  return guard([&] {
    std::string_view text;
    QUERN_C_CHECK(read_text(message, size, "message", text));
    quern::GenerateOptions wanted;
    QUERN_C_CHECK(read_generate_options(options, wanted));
    auto generation = chat->session.send(text, wanted);
    if (!generation) return refuse(generation.error());
    *out = new quern_generation{std::move(*generation)};
    return QUERN_OK;
  });
}

size_t quern_chat_n_messages(const quern_chat* chat) { return chat ? chat->session.messages().size() : 0; }

quern_status quern_chat_get_message(const quern_chat* chat, size_t index, quern_chat_message* out) {
  QUERN_C_NEED(chat);
  QUERN_C_NEED(out);
  return guard([&] {
    const auto messages = chat->session.messages();
    if (index >= messages.size()) {
      return refuse(quern::Errc::argument,
                    "message " + std::to_string(index) + " of " + std::to_string(messages.size()));
    }
    *out = {messages[index].role.c_str(), messages[index].content.c_str(), messages[index].content.size()};
    return QUERN_OK;
  });
}

void quern_chat_undo(quern_chat* chat) {
  if (chat) guard([&] { return chat->session.undo(), QUERN_OK; });
}

void quern_chat_clear(quern_chat* chat) {
  if (chat) guard([&] { return chat->session.clear(), QUERN_OK; });
}

quern_context* quern_chat_context(quern_chat* chat) { return chat ? &chat->context : nullptr; }

void quern_chat_close(quern_chat* chat) { delete chat; }

}  // extern "C"
