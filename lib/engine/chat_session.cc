// Conversations: the messages, rendered anew for each turn; the cache keeps what a turn has in common with the last.
#include <quern/generate.h>

#include "lib/engine/api/impl.h"

namespace quern {

struct ChatSession::Impl {
  Context context;
  ChatTemplate chat_template;
  std::vector<ChatMessage> messages;
  size_t n_system = 0;  ///< messages that clear() leaves
};

ChatSession::ChatSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChatSession::ChatSession(ChatSession&&) noexcept = default;
ChatSession& ChatSession::operator=(ChatSession&&) noexcept = default;
ChatSession::~ChatSession() = default;

Result<ChatSession> ChatSession::create(Context context, std::string_view system_prompt) {
  return engine::guarded([&]() -> Result<ChatSession> {
    QUERN_TRY(auto chat_template, ChatTemplate::from_model(context.model()));
    std::unique_ptr<Impl> impl(new Impl{std::move(context), std::move(chat_template), {}, 0});
    if (!system_prompt.empty()) impl->messages.push_back({"system", std::string(system_prompt)});
    impl->n_system = impl->messages.size();
    return ChatSession(std::move(impl));
  });
}

Result<Generation> ChatSession::send(std::string_view message, const GenerateOptions& options) {
  const size_t n_before = impl_->messages.size();
  auto result = engine::guarded([&]() -> Result<Generation> {
    impl_->messages.push_back({"user", std::string(message)});
    QUERN_TRY(const auto prompt, impl_->chat_template.tokenize(impl_->messages));
    QUERN_TRY(auto generation, generate(impl_->context, prompt, options));
    impl_->messages.push_back({"assistant", generation.text});
    return generation;
  });
  if (!result) impl_->messages.resize(n_before);
  return result;
}

std::span<const ChatMessage> ChatSession::messages() const { return impl_->messages; }

void ChatSession::undo() {
  auto& messages = impl_->messages;
  while (messages.size() > impl_->n_system) {
    const bool question = messages.back().role == "user";
    messages.pop_back();
    if (question) break;
  }
}

void ChatSession::clear() { impl_->messages.resize(impl_->n_system); }

Context& ChatSession::context() { return impl_->context; }

}  // namespace quern
