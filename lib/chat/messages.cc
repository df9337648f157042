#include "lib/chat/messages.h"

#include "lib/chat/json.h"

namespace quern::chat {

Result<Value> chat_variables(std::span<const Message> messages, const ChatVariables& variables) {
  const auto key = [](const char* name) { return Value::string(name); };
  std::vector<Value> list;
  list.reserve(messages.size());
  for (const Message& message : messages) {
    list.push_back(
        Value::object({{key("role"), Value::string(message.role)}, {key("content"), Value::string(message.content)}}));
  }
  std::vector<Value::Entry> entries = {{key("messages"), Value::list(std::move(list))},
                                       {key("add_generation_prompt"), Value::boolean(variables.add_generation_prompt)},
                                       {key("bos_token"), Value::string(variables.bos_token)},
                                       {key("eos_token"), Value::string(variables.eos_token)}};
  if (!variables.extra_json.empty()) {
    auto extra = parse_json(variables.extra_json);
    if (!extra) return fail(Errc::argument, "the extra variables of the chat template: ", extra.error().message);
    QUERN_ENSURE(extra->is_object(), Errc::argument,
                 "the extra variables of the chat template are a JSON object, found ", extra->type_name());
    for (const auto& entry : extra->as_object().entries()) entries.push_back(entry);
  }
  return Value::object(std::move(entries));
}

Result<std::string> render_chat(const Template& chat_template, std::span<const Message> messages,
                                const ChatVariables& variables, const RenderOptions& options) {
  QUERN_TRY(const Value values, chat_variables(messages, variables));
  return chat_template.render(values, options);
}

std::string_view chatml_source() {
  return "{% for message in messages %}"
         "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
         "{% endfor %}"
         "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
}

}  // namespace quern::chat
