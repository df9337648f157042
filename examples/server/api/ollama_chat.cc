// POST /api/chat.
#include "examples/server/api/conversation.h"
#include "examples/server/api/handlers.h"
#include "examples/server/api/ollama.h"
#include "examples/server/api/openai.h"

namespace quern::server {
namespace {

/// Where a conversation may be cut: before its user messages, as an answer without its question confuses models and
/// templates. Messages before the cut go, but for the system's.
std::vector<size_t> cuts(const std::vector<ChatMessage>& messages) {
  std::vector<size_t> out;
  for (size_t i = 0; i < messages.size(); ++i) {
    const bool begins = messages[i].role == "user" && (i == 0 || messages[i - 1].role != "user");
    if (begins) out.push_back(i);
  }
  return out;
}

std::vector<ChatMessage> cut_at(const std::vector<ChatMessage>& messages, size_t cut) {
  std::vector<ChatMessage> out;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (i >= cut || messages[i].role == "system") out.push_back(messages[i]);
  }
  return out;
}

/// The longest end of the conversation that leaves room for an answer; nothing where not even the last message does.
std::optional<std::vector<Token>> shortened_tokens(const Lease& lease, const std::vector<ChatMessage>& messages,
                                                   const Input& variables, const Plan& plan) {
  const auto asked = static_cast<uint32_t>(std::max(0, plan.options.max_tokens));
  const uint32_t room = asked > 0 ? std::min(asked, plan.n_ctx / 2) : plan.n_ctx / 4;
  const auto places = cuts(messages);
  std::optional<std::vector<Token>> best;
  size_t low = 0, high = places.size();  // cuts from `high` on fit
  while (low < high) {
    const size_t middle = (low + high) / 2;
    auto tokens = conversation_tokens(lease, cut_at(messages, places[middle]), variables);
    if (tokens.size() + std::max(1U, room) <= plan.n_ctx) {
      best = std::move(tokens);
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return best;
}

void chat_on(const std::shared_ptr<Call>& call, const Input& body, const std::vector<ChatMessage>& messages,
             const std::shared_ptr<Lease>& lease) {
  OllamaAnswer answer{call, lease, true};
  answer.load_ns = elapsed_ns(*call);
  const Fields fields(body);
  Plan plan = read_plan(fields, lease);
  const Input variables = template_variables(fields);
  auto tokens = conversation_tokens(*lease, messages, variables);
  if (tokens.size() >= plan.n_ctx && fields.flag("truncate").value_or(false)) {
    if (auto fewer = shortened_tokens(*lease, messages, variables, plan)) {
      tokens = std::move(*fewer);
      answer.truncated = true;
    }
  }
  answer.logprobs = plan.options.n_logprobs >= 0;
  plan.prompts.push_back(std::move(tokens));
  generate(call, std::move(plan), ollama_format(std::move(answer)));
}

}  // namespace

void ollama_chat(const std::shared_ptr<Call>& call) {
  const auto body = std::make_shared<Input>(parse_body(call->request().body));
  const Fields fields(*body);
  const std::string name = required_model(fields);
  refuse_for_ollama(fields);
  const auto keep_alive = read_keep_alive(fields);
  const Input* list = fields.find("messages");
  if (list == nullptr || (list->is_array() && list->empty())) {
    check_options(fields);
    return load_or_unload(call, name, keep_alive, {{"message", {{"role", "assistant"}, {"content", ""}}}});
  }
  auto messages = std::make_shared<std::vector<ChatMessage>>(read_messages(fields));
  with_model(call, name, keep_alive,
             [call, body, messages](const std::shared_ptr<Lease>& lease) { chat_on(call, *body, *messages, lease); });
}

}  // namespace quern::server
