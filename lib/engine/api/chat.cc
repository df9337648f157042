#include <quern/chat.h>

#include <chrono>

#include "lib/chat/messages.h"
#include "lib/engine/api/impl.h"

namespace quern {
namespace {

std::string token_text(const Tokenizer& tokenizer, Token token) {
  return token >= 0 ? tokenizer.piece(token, true) : std::string();
}

/// For templates that write the date. In UTC: the library does not look at the host's time zone.
chat::LocalTime time_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return chat::LocalTime::at(std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

}  // namespace

Result<ChatTemplate> ChatTemplate::from_model(const Model& model) {
  return from_source(model, model.chat_template().empty() ? chat::chatml_source() : model.chat_template());
}

Result<ChatTemplate> ChatTemplate::from_source(const Model& model, std::string_view jinja) {
  return engine::guarded([&]() -> Result<ChatTemplate> {
    auto compiled = chat::Template::compile(jinja);
    if (!compiled) return fail(compiled.error().code, model.info().path, ": chat template: ", compiled.error().message);
    ChatTemplate out;
    out.impl_ = std::shared_ptr<const Impl>(new Impl{model.tokenizer(), std::move(*compiled)});
    return out;
  });
}

Result<std::string> ChatTemplate::render(std::span<const ChatMessage> messages, const ChatOptions& options) const {
  return engine::guarded([&]() -> Result<std::string> {
    std::vector<chat::Message> conversation;
    for (const auto& message : messages) conversation.push_back({message.role, message.content});
    chat::ChatVariables variables;
    variables.add_generation_prompt = options.add_generation_prompt;
    variables.bos_token = token_text(impl_->tokenizer, impl_->tokenizer.bos());
    variables.eos_token = token_text(impl_->tokenizer, impl_->tokenizer.eos());
    variables.extra_json = options.extra_json;
    chat::RenderOptions render;
    render.now = time_now();
    return chat::render_chat(impl_->program, conversation, variables, render);
  });
}

Result<std::vector<Token>> ChatTemplate::tokenize(std::span<const ChatMessage> messages,
                                                  const ChatOptions& options) const {
  return engine::guarded([&]() -> Result<std::vector<Token>> {
    QUERN_TRY(const std::string text, render(messages, options));
    const Tokenizer& tokenizer = impl_->tokenizer;
    auto tokens = tokenizer.tokenize(text, {false, true});
    // Some templates write BOS, some leave it to the tokenizer.
    const Token bos = tokenizer.bos();
    if (bos >= 0 && tokenizer.adds_bos() && (tokens.empty() || tokens[0] != bos)) tokens.insert(tokens.begin(), bos);
    return tokens;
  });
}

}  // namespace quern
