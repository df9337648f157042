// GET /v1/models, GET /v1/models/{model}.
#include "examples/server/api/handlers.h"
#include "examples/server/api/openai.h"

namespace quern::server {
namespace {

/// With llama-server's `meta` for what is loaded.
Json model_json(const ModelSpec& spec, const std::vector<LoadedModel>& loaded) {
  static const int64_t kStarted = unix_time();
  Json json = {{"id", spec.name}, {"object", "model"}, {"created", kStarted}, {"owned_by", "quern"}};
  for (const auto& model : loaded) {
    if (model.spec.path != spec.path) continue;
    const ModelInfo& info = model.host->model().info();
    json["meta"] = {{"n_vocab", info.n_vocab},         {"n_ctx", model.host->n_ctx_request()},
                    {"n_ctx_train", info.n_ctx_train}, {"n_embd", info.n_embd},
                    {"n_params", info.n_parameters},   {"size", info.size_bytes}};
    break;
  }
  return json;
}

}  // namespace

void openai_models(const std::shared_ptr<Call>& call) {
  Json data = Json::array();
  const auto loaded = call->service.hosts.loaded();
  for (const auto& spec : call->service.catalog.list()) data.push_back(model_json(spec, loaded));
  call->answer({{"object", "list"}, {"data", std::move(data)}});
}

void openai_model(const std::shared_ptr<Call>& call) {
  const std::string name = call->request().path.substr(std::string("/v1/models/").size());
  if (name.empty()) throw ApiError(404, "no model named");
  const auto spec = call->service.catalog.find(name);
  if (!spec) throw api_error(spec.error());
  call->answer(model_json(*spec, call->service.hosts.loaded()));
}

}  // namespace quern::server
