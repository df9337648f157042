// Conversations of requests: messages in, tokens out.
#pragma once

#include <string>
#include <vector>

#include "examples/server/api/fields.h"
#include "examples/server/hosts/hosts.h"

namespace quern::server {

/// `messages`: a list of {role, content}, where content is a text or a list of {"type": "text", "text": ...}. Refuses
/// images, sound and calls of tools, with an error that says so.
std::vector<ChatMessage> read_messages(const Fields& fields);

/// What the model begins with (its system message and messages, unless the request has a system message) and the
/// messages, through the chat template. `kwargs`: further variables of the template; a JSON object, or null.
std::vector<Token> conversation_tokens(const Lease& lease, std::vector<ChatMessage> messages, const Input& kwargs);
std::string conversation_text(const Lease& lease, std::vector<ChatMessage> messages, const Input& kwargs);

/// What is not served here: tools, structured output, sound. Throws ApiError 400 with the field's name.
void refuse_unsupported(const Fields& fields);

}  // namespace quern::server
