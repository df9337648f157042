#include "examples/server/routes.h"

namespace quern::server {
namespace {

constexpr auto kOpenAi = ErrorStyle::openai, kLlama = ErrorStyle::llama, kOllama = ErrorStyle::ollama;

constexpr Route kRoutes[] = {
    {"GET", "/", root_page, kOllama, true, true},
    {"GET", "/health", llama_health, kLlama, true, true},
    {"GET", "/v1/health", llama_health, kLlama, true, true},

    {"POST", "/v1/chat/completions", openai_chat, kOpenAi},
    {"POST", "/chat/completions", openai_chat, kOpenAi},
    {"POST", "/v1/completions", openai_completions, kOpenAi},
    {"POST", "/v1/embeddings", openai_embeddings, kOpenAi},
    {"GET", "/v1/models", openai_models, kOpenAi},
    {"GET", "/models", openai_models, kOpenAi},
    {"GET", "/v1/models/*", openai_model, kOpenAi},

    {"POST", "/api/generate", ollama_generate, kOllama},
    {"POST", "/api/chat", ollama_chat, kOllama},
    {"POST", "/api/embed", ollama_embed, kOllama},
    {"POST", "/api/embeddings", ollama_embeddings, kOllama},
    {"GET", "/api/tags", ollama_tags, kOllama},
    {"GET", "/api/ps", ollama_ps, kOllama},
    {"POST", "/api/show", ollama_show, kOllama},
    {"GET", "/api/version", ollama_version, kOllama, true, true},
    {"POST", "/api/pull", ollama_pull, kOllama},
    {"POST", "/api/create", ollama_create, kOllama},
    {"DELETE", "/api/delete", ollama_delete, kOllama},
    {"POST", "/api/copy", ollama_copy, kOllama},
    {"HEAD", "/api/blobs/*", ollama_has_blob, kOllama},
    {"POST", "/api/blobs/*", ollama_write_blob, kOllama},

    {"GET", "/props", llama_props, kLlama},
    {"GET", "/slots", llama_slots, kLlama},
    {"GET", "/metrics", llama_metrics, kLlama},
    {"POST", "/completion", llama_completion, kLlama},
    {"POST", "/completions", llama_completion, kLlama},
    {"POST", "/tokenize", llama_tokenize, kLlama},
    {"POST", "/detokenize", llama_detokenize, kLlama},
    {"POST", "/apply-template", llama_apply_template, kLlama},
};

bool matches(const Route& route, std::string_view path) {
  const std::string_view own = route.path;
  if (own.back() != '*') return own == path;
  return path.size() >= own.size() && path.substr(0, own.size() - 1) == own.substr(0, own.size() - 1);
}

bool starts_with(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

}  // namespace

std::span<const Route> routes() { return kRoutes; }

const Route* find_route(std::string_view method, std::string_view path, bool& path_known) {
  path_known = false;
  const Route* found = nullptr;
  for (const Route& route : kRoutes) {
    if (!matches(route, path)) continue;
    path_known = true;
    if (method == route.method) return &route;
    // HEAD is GET without the body, where it is not a route of its own.
    if (method == "HEAD" && std::string_view(route.method) == "GET") found = &route;
  }
  return found;
}

ErrorStyle style_of(std::string_view path) {
  for (const Route& route : kRoutes) {
    if (matches(route, path)) return route.style;
  }
  return starts_with(path, "/api/") ? kOllama : starts_with(path, "/v1/") ? kOpenAi : kLlama;
}

std::string methods_of(std::string_view path) {
  std::string out;
  for (const Route& route : kRoutes) {
    if (!matches(route, path)) continue;
    out += (out.empty() ? "" : ", ") + std::string(route.method);
  }
  return out;
}

}  // namespace quern::server
