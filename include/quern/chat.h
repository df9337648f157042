// Chat: conversations, rendered by the model's own chat template.
#pragma once

#include <quern/model.h>
#include <quern/result.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern {

struct ChatMessage {
  std::string role;  ///< "system", "user", "assistant", "tool".
  std::string content;
};

struct ChatOptions {
  bool add_generation_prompt = true;  ///< End with the opening of an assistant turn.
  std::string extra_json{};           ///< A JSON object of further template variables, e.g. {"enable_thinking": false}.
};

/// A compiled chat template. Immutable, thread-safe.
class ChatTemplate {
 public:
  /// The model's template, or ChatML where it has none. Errc::format if the template does not parse.
  static Result<ChatTemplate> from_model(const Model& model);
  /// A template given as Jinja source.
  static Result<ChatTemplate> from_source(const Model& model, std::string_view jinja);

  /// The prompt as text. Some templates write BOS, some do not: tokenize() sees to that. Errc::argument, with the
  /// template's own words, where it refuses the conversation.
  Result<std::string> render(std::span<const ChatMessage> messages, const ChatOptions& options = {}) const;
  /// The prompt as tokens, with exactly one BOS where the model wants one.
  Result<std::vector<Token>> tokenize(std::span<const ChatMessage> messages, const ChatOptions& options = {}) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace quern
