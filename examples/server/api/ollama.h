// What Ollama's endpoints have in common: https://docs.ollama.com/api
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "examples/server/api/fields.h"
#include "examples/server/generation.h"

namespace quern::server {

std::string now_text();
/// A line of a stream.
inline std::string json_line(const Json& json) { return dump(json) + "\n"; }
/// Nanoseconds since the call began.
int64_t elapsed_ns(const Call& call);

/// The field `model`, or `name` as it was once called.
std::string required_model(const Fields& fields);
/// What is not served here: images, tools, structured output, thinking. Throws ApiError 400 with the field's name.
void refuse_for_ollama(const Fields& fields);
/// Further variables of the template: `think`.
Input template_variables(const Fields& fields);

/// `options` over the model's own parameters, over Ollama's defaults; stream, logprobs and the context's length.
Plan read_plan(const Fields& fields, const std::shared_ptr<Lease>& lease);
/// The same checks where nothing is generated.
void check_options(const Fields& fields);

/// Requests without a prompt load the model, or with keep_alive 0 unload it. `empty`: what the answer has in place of a
/// text.
void load_or_unload(const std::shared_ptr<Call>& call, const std::string& name, std::optional<KeepAlive> keep_alive,
                    const Json& empty);

/// Answers of /api/generate and /api/chat: {"response": ...} or {"message": {"role", "content"}}.
struct OllamaAnswer {
  std::shared_ptr<Call> call;
  std::shared_ptr<Lease> lease;
  bool chat = false, logprobs = false;
  int64_t load_ns = 0;
  bool truncated = false;                       ///< parts of the prompt were left out
  std::optional<std::vector<Token>> context{};  ///< the prompt, where the answer goes on with it
};
std::unique_ptr<Format> ollama_format(OllamaAnswer answer);

/// {"parent_model", "format", "family", ...}
Json details_json(const store::Details& details);
/// The store of this server. Throws ApiError 400 where it runs without one.
store::Store& required_store(const Call& call);
/// A name of a model in the store; `field` is for the error.
store::ModelName store_name(const std::string& text, const std::string& field);
/// What an error of the store means to a client. Paths of the store are left out.
ApiError store_error(const Call& call, const Error& error);
/// The model among those named at the server's start; null if it is none of them.
const ModelSpec* fixed_model(const Call& call, const std::string& name);

}  // namespace quern::server
