// GET /health, /props, /slots, /metrics: llama-server's view of what is going on.
#include <quern/version.h>

#include <cstdio>
#include <cstdlib>

#include "examples/server/api/handlers.h"
#include "examples/server/api/openai.h"

namespace quern::server {
namespace {

/// As it was meant: 0.8, not the float's 0.800000011920929.
double decimal(float value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6g", static_cast<double>(value));
  return std::strtod(text, nullptr);
}

}  // namespace

void llama_health(const std::shared_ptr<Call>& call) { call->answer({{"status", "ok"}}); }

void llama_props(const std::shared_ptr<Call>& call) {
  const auto& query = call->request().query;
  const std::string name = query.count("model") > 0 ? query.at("model") : "";
  with_model(call, name, std::nullopt, [call](const std::shared_ptr<Lease>& lease) {
    const Host& host = **lease;
    const SamplerOptions defaults;
    Json params = {{"temperature", decimal(defaults.temperature)},
                   {"top_k", defaults.top_k},
                   {"top_p", decimal(defaults.top_p)},
                   {"min_p", decimal(defaults.min_p)},
                   {"repeat_penalty", decimal(defaults.repeat_penalty)},
                   {"n_predict", -1}};
    Json json = {{"default_generation_settings", {{"n_ctx", host.n_ctx_request()}, {"params", std::move(params)}}},
                 {"total_slots", host.n_parallel()},
                 {"model_alias", lease->spec().name},
                 {"chat_template", host.model().chat_template()},
                 {"modalities", {{"vision", false}, {"audio", false}}},
                 {"build_info", std::string("quern ") + version()}};
    if (call->service.options.show_paths) json["model_path"] = lease->spec().path;
    call->answer(json);
  });
}

void llama_slots(const std::shared_ptr<Call>& call) {
  if (!call->service.options.slots)
    throw ApiError(501, "this server does not tell what it is doing: start it with --slots");
  Json slots = Json::array();
  for (const auto& model : call->service.hosts.loaded()) {
    const SchedulerStats stats = model.host->stats();
    for (uint32_t i = 0; i < model.host->n_parallel(); ++i) {
      Json slot = {{"id", i}, {"model", model.spec.name}, {"n_ctx", model.host->n_ctx_request()}};
      const bool busy = i < stats.running.size();
      slot["is_processing"] = busy;
      if (busy) {
        slot["id_task"] = stats.running[i].id;
        slot["n_prompt_tokens"] = stats.running[i].n_prompt;
        slot["n_prompt_tokens_processed"] = stats.running[i].n_prompt_done;
        slot["next_token"] = {{"n_decoded", stats.running[i].n_generated}};
      }
      slots.push_back(std::move(slot));
    }
  }
  call->answer(slots);
}

void llama_metrics(const std::shared_ptr<Call>& call) {
  std::vector<SchedulerStats> now;
  for (const auto& model : call->service.hosts.loaded()) now.push_back(model.host->stats());
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4";
  response.body = call->service.metrics.text(now, call->service.n_connections());
  call->exchange->send(std::move(response));
}

}  // namespace quern::server
