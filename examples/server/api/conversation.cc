#include "examples/server/api/conversation.h"

#include <algorithm>

namespace quern::server {
namespace {

constexpr size_t kMaxMessages = 4096;
constexpr const char* kNoTools = "calling tools is not supported yet";

std::string read_content(const Input& message, const std::string& field) {
  const auto it = message.find("content");
  if (it == message.end() || it->is_null()) return {};
  if (it->is_string()) return it->get<std::string>();
  if (!it->is_array()) bad_field(field + ".content", "expected a text or a list of parts");
  std::string text;
  for (const Input& part : *it) {
    if (!part.is_object()) bad_field(field + ".content", "expected parts like {\"type\": \"text\", \"text\": \"...\"}");
    const Fields own(part, field + ".content.");
    const std::string type = own.required_text("type");
    if (type != "text" && type != "input_text" && type != "output_text" && type != "refusal")
      bad_field(field + ".content", "parts of type '" + type.substr(0, 40) + "' are not supported: only text is");
    text += own.required_text(type == "refusal" ? "refusal" : "text");
  }
  return text;
}

void complete(const ModelSpec& spec, std::vector<ChatMessage>& messages) {
  const bool own_system = !messages.empty() && messages.front().role == "system";
  std::vector<ChatMessage> before;
  if (!own_system && !spec.system.empty()) before.push_back({"system", spec.system});
  if (!own_system) before.insert(before.end(), spec.messages.begin(), spec.messages.end());
  messages.insert(messages.begin(), before.begin(), before.end());
}

ChatOptions chat_options(const Input& kwargs) {
  ChatOptions options;
  if (kwargs.is_object() && !kwargs.empty()) options.extra_json = dump(kwargs);
  return options;
}

}  // namespace

std::vector<ChatMessage> read_messages(const Fields& fields) {
  const Input* list = fields.find("messages");
  if (list == nullptr) bad_field(fields.name("messages"), "this field is required");
  if (!list->is_array() || list->empty()) bad_field(fields.name("messages"), "expected a list of at least one message");
  if (list->size() > kMaxMessages)
    bad_field(fields.name("messages"), "at most " + std::to_string(kMaxMessages) + " messages are taken");
  std::vector<ChatMessage> out;
  for (size_t i = 0; i < list->size(); ++i) {
    const Input& item = (*list)[i];
    const std::string field = fields.name("messages") + "[" + std::to_string(i) + "]";
    if (!item.is_object()) bad_field(field, "expected an object with role and content");
    const Fields own(item, field + ".");
    std::string role = own.required_text("role");
    if (role == "developer") role = "system";
    if (role != "system" && role != "user" && role != "assistant" && role != "tool")
      bad_field(field + ".role", "expected system, user, assistant or tool, found '" + role.substr(0, 40) + "'");
    own.refuse("tool_calls", kNoTools);
    own.refuse("function_call", kNoTools);
    own.refuse("images", "images are not supported");
    own.refuse("audio", "sound is not supported");
    out.push_back({std::move(role), read_content(item, field)});
  }
  return out;
}

std::vector<Token> conversation_tokens(const Lease& lease, std::vector<ChatMessage> messages, const Input& kwargs) {
  complete(lease.spec(), messages);
  auto tokens = lease->chat_tokens(messages, chat_options(kwargs));
  if (!tokens) throw api_error(tokens.error());
  return std::move(*tokens);
}

std::string conversation_text(const Lease& lease, std::vector<ChatMessage> messages, const Input& kwargs) {
  complete(lease.spec(), messages);
  auto text = lease->chat_text(messages, chat_options(kwargs));
  if (!text) throw api_error(text.error());
  return std::move(*text);
}

void refuse_unsupported(const Fields& fields) {
  for (const char* name : {"tools", "functions", "tool_choice", "function_call"}) {
    const Input* value = fields.find(name);
    if (value == nullptr || *value == "auto") continue;  // "auto" of no tools calls none
    fields.refuse(name, kNoTools);
  }
  const char* kNoStructure = "structured output is not supported yet: only {\"type\": \"text\"} is";
  if (const Input* format = fields.find("response_format")) {
    const bool text = format->is_object() && format->value("type", Input()) == "text";
    if (!text) fields.refuse("response_format", kNoStructure);
  }
  for (const char* name : {"grammar", "json_schema", "guided_json", "guided_regex"}) fields.refuse(name, kNoStructure);
  fields.refuse("audio", "sound is not supported");
  if (const Input* modalities = fields.find("modalities")) {
    if (*modalities != Input::array({"text"})) bad_field(fields.name("modalities"), "only [\"text\"] is supported");
  }
}

}  // namespace quern::server
