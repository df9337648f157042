// POST /api/embed, /api/embeddings.
#include "examples/server/api/handlers.h"
#include "examples/server/api/ollama.h"
#include "examples/server/api/openai.h"

namespace quern::server {
namespace {

/// Cuts a text to what the model takes, and keeps the token that the model wants at its end.
bool truncate(std::vector<Token>& tokens, size_t most, const Tokenizer& tokenizer) {
  if (most == 0 || tokens.size() <= most) return false;
  const Token last = tokens.back();
  const auto around = tokenizer.tokenize("", {true, true});
  tokens.resize(most);
  if (!around.empty() && around.back() == last && last != tokenizer.bos()) tokens.back() = last;
  return true;
}

bool is_empty(const Input* input) {
  if (input == nullptr || (input->is_array() && input->empty())) return true;
  return input->is_string() && input->get_ref<const std::string&>().empty();
}

struct Embedded {
  std::vector<std::vector<float>> vectors;
  uint64_t n_tokens = 0;
  bool truncated = false;
};

Embedded embed(const Call& call, const Lease& lease, const Fields& fields, const char* input) {
  const auto dimensions = fields.integer("dimensions", 1, lease->model().info().n_embd);
  Embedded out;
  if (is_empty(fields.find(input))) return out;
  auto texts = read_inputs(fields, input, *lease);
  if (fields.flag("truncate").value_or(true)) {
    const uint32_t most = lease->n_embed_tokens();
    for (auto& text : texts) out.truncated |= truncate(text, most, lease->model().tokenizer());
  }
  const auto embeddings = lease->embed(texts, call.exchange->gone());
  if (!embeddings) throw api_error(embeddings.error());
  for (const auto& embedding : *embeddings) {
    out.vectors.push_back(shortened(embedding, dimensions));
    out.n_tokens += embedding.n_tokens;
  }
  call.service.metrics.count_embedded(out.n_tokens);
  return out;
}

}  // namespace

void ollama_embed(const std::shared_ptr<Call>& call) {
  const auto body = std::make_shared<Input>(parse_body(call->request().body));
  const Fields fields(*body);
  const std::string name = required_model(fields);
  check_options(fields);
  with_embedder(call, name, read_keep_alive(fields), [call, body](const std::shared_ptr<Lease>& lease) {
    const int64_t load_ns = elapsed_ns(*call);
    const Embedded embedded = embed(*call, *lease, Fields(*body), "input");
    Json json = {{"model", lease->spec().name}, {"embeddings", embedded.vectors}};
    if (embedded.truncated) json["truncated"] = true;
    json["total_duration"] = elapsed_ns(*call);
    json["load_duration"] = load_ns;
    json["prompt_eval_count"] = embedded.n_tokens;
    call->answer(json);
  });
}

void ollama_embeddings(const std::shared_ptr<Call>& call) {
  const auto body = std::make_shared<Input>(parse_body(call->request().body));
  const Fields fields(*body);
  const std::string name = required_model(fields);
  static_cast<void>(fields.text("prompt"));
  check_options(fields);
  with_embedder(call, name, read_keep_alive(fields), [call, body](const std::shared_ptr<Lease>& lease) {
    const Embedded embedded = embed(*call, *lease, Fields(*body), "prompt");
    call->answer({{"embedding", embedded.vectors.empty() ? Json::array() : Json(embedded.vectors.front())}});
  });
}

}  // namespace quern::server
