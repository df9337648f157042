// The handlers of all endpoints. Each reads its call's request and answers, at once or later; what it throws becomes
// the answer (ApiError in the call's style of errors, anything else 500).
#pragma once

#include <memory>

#include "examples/server/service.h"

namespace quern::server {

inline constexpr const char* kFingerprint = "quern";

// root.cc: the chat page for browsers; for programs a line of text.
void root_page(const std::shared_ptr<Call>& call);

// openai_*.cc: https://platform.openai.com/docs/api-reference
void openai_chat(const std::shared_ptr<Call>& call);
void openai_completions(const std::shared_ptr<Call>& call);
void openai_embeddings(const std::shared_ptr<Call>& call);
void openai_models(const std::shared_ptr<Call>& call);
void openai_model(const std::shared_ptr<Call>& call);

// llama_*.cc: llama-server's own
void llama_health(const std::shared_ptr<Call>& call);
void llama_props(const std::shared_ptr<Call>& call);
void llama_slots(const std::shared_ptr<Call>& call);
void llama_metrics(const std::shared_ptr<Call>& call);
void llama_tokenize(const std::shared_ptr<Call>& call);
void llama_detokenize(const std::shared_ptr<Call>& call);
void llama_apply_template(const std::shared_ptr<Call>& call);
void llama_completion(const std::shared_ptr<Call>& call);

// ollama_*.cc: https://docs.ollama.com/api
void ollama_generate(const std::shared_ptr<Call>& call);
void ollama_chat(const std::shared_ptr<Call>& call);
void ollama_embed(const std::shared_ptr<Call>& call);
void ollama_embeddings(const std::shared_ptr<Call>& call);
void ollama_tags(const std::shared_ptr<Call>& call);
void ollama_ps(const std::shared_ptr<Call>& call);
void ollama_show(const std::shared_ptr<Call>& call);
void ollama_version(const std::shared_ptr<Call>& call);
void ollama_pull(const std::shared_ptr<Call>& call);
void ollama_create(const std::shared_ptr<Call>& call);
void ollama_delete(const std::shared_ptr<Call>& call);
void ollama_copy(const std::shared_ptr<Call>& call);
void ollama_has_blob(const std::shared_ptr<Call>& call);
void ollama_write_blob(const std::shared_ptr<Call>& call);

}  // namespace quern::server
