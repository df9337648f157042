// Conversations for templates: the variables that chat templates expect.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lib/chat/template.h"

namespace quern::chat {

struct Message {
  std::string role;  ///< "system", "user", "assistant", "tool"
  std::string content;
};

struct ChatVariables {
  bool add_generation_prompt = true;
  std::string bos_token, eos_token;  ///< their texts
  std::string extra_json;            ///< a JSON object of further variables, which win over the above; may be empty
};

/// The template's variables: messages, add_generation_prompt, bos_token, eos_token, and the extra ones.
Result<Value> chat_variables(std::span<const Message> messages, const ChatVariables& variables);

/// A conversation as the text that a model reads. A template that refuses it (roles must alternate, no system role,
/// ...) gives Errc::argument with the template's own words.
Result<std::string> render_chat(const Template& chat_template, std::span<const Message> messages,
                                const ChatVariables& variables, const RenderOptions& options = {});

/// The template of models that bring none: <|im_start|>role\ncontent<|im_end|>.
std::string_view chatml_source();

}  // namespace quern::chat
