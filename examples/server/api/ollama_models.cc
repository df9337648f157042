// GET /api/tags, /api/ps, /api/version; POST /api/show.
#include <quern/version.h>

#include <algorithm>

#include "examples/server/api/handlers.h"
#include "examples/server/api/ollama.h"
#include "examples/store/card.h"

namespace quern::server {
namespace {

Json entry_json(const std::string& name, int64_t modified_ns, uint64_t size, const std::string& digest,
                const store::Details& details) {
  return {{"name", name}, {"model", name},    {"modified_at", time_text(modified_ns)},
          {"size", size}, {"digest", digest}, {"details", details_json(details)}};
}

store::Details details_of(const Call& call, const ModelSpec& spec) {
  if (!spec.fixed && call.service.catalog.stored() != nullptr) {
    const auto name = store::ModelName::parse(spec.name);
    const auto found = name ? call.service.catalog.stored()->find(*name) : name.error();
    if (found) return found->details;
  }
  return call.service.facts.get(spec.path).details;
}

/// What is never unloaded ends in a far future: clients want a time.
std::string expiry_text(const LoadedModel& model) {
  constexpr auto kForEver = std::chrono::hours(100 * 365 * 24);
  const auto at = model.expires.value_or(std::chrono::system_clock::now() + kForEver);
  return time_text(std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count());
}

/// A model of the server's start in the shape of one of the store.
store::StoredModel as_stored(const ModelSpec& spec, const FileFact& fact) {
  store::StoredModel out{
      {*store::ModelName::parse("model"), fact.digest, fact.size_bytes, fact.modified_ns, fact.details}};
  out.path = spec.path;
  out.tmpl = spec.chat_template;
  out.system = spec.system;
  out.parameters_json = dump(spec.parameters);
  return out;
}

/// With the model's name in place of paths of this machine, unless these are told.
std::string modelfile_of(const store::StoredModel& model, const std::string& name, bool show_paths) {
  store::Modelfile file;
  file.from = show_paths ? model.path : name;
  if (show_paths) file.adapters = model.adapters;
  file.parameters = model.parameters;
  file.tmpl = model.tmpl;
  file.system = model.system;
  file.licenses = model.licenses;
  file.messages = model.messages;
  file.requires_version = model.requires_version;
  const auto text = file.print();
  return text ? *text : std::string();
}

Json tensors_json(const std::string& path) {
  ModelOptions options;
  options.vocab_only = true;
  Json out = Json::array();
  const auto model = Model::open(path, options);
  if (!model) return out;
  for (const auto& tensor : model->tensors())
    out.push_back({{"name", tensor.name}, {"type", tensor.type}, {"shape", tensor.shape}});
  return out;
}

Json show_json(const Call& call, const store::StoredModel& model, const std::string& name, bool verbose) {
  const auto card = store::read_card(model);
  if (!card) throw store_error(call, card.error());
  Json json = Json::object();
  std::string license;
  for (const auto& text : model.licenses) license += (license.empty() ? "" : "\n") + text;
  if (!license.empty()) json["license"] = license;
  json["modelfile"] = modelfile_of(model, name, call.service.options.show_paths);
  if (!model.parameters.empty()) json["parameters"] = store::parameters_text(model.parameters);
  json["template"] = model.tmpl.empty() ? card->chat_template : model.tmpl;
  if (!model.system.empty()) json["system"] = model.system;
  json["details"] = details_json(model.details);
  if (!model.messages.empty()) {
    json["messages"] = Json::array();
    for (const auto& message : model.messages)
      json["messages"].push_back({{"role", message.role}, {"content", message.content}});
  }
  json["model_info"] = Json::parse(card->model_info_json, nullptr, false);
  if (verbose) json["tensors"] = tensors_json(model.path);
  json["capabilities"] = card->capabilities;
  json["modified_at"] = time_text(model.modified_ns);
  return json;
}

}  // namespace

void ollama_tags(const std::shared_ptr<Call>& call) {
  Json models = Json::array();
  for (const auto& spec : call->service.catalog.fixed()) {
    const FileFact fact = call->service.facts.get(spec.path);
    models.push_back(entry_json(spec.name, fact.modified_ns, fact.size_bytes, fact.digest, fact.details));
  }
  if (const store::Store* store = call->service.catalog.stored()) {
    const auto entries = store->list();
    if (!entries) throw store_error(*call, entries.error());
    for (const auto& entry : *entries)
      models.push_back(entry_json(entry.name.text(), entry.modified_ns, entry.size_bytes, entry.digest, entry.details));
  }
  call->answer({{"models", std::move(models)}});
}

void ollama_ps(const std::shared_ptr<Call>& call) {
  Json models = Json::array();
  for (const auto& model : call->service.hosts.loaded()) {
    const bool over = model.expires && *model.expires <= std::chrono::system_clock::now();
    if (over && model.n_users == 0) continue;  // being unloaded
    const ModelSpec& spec = model.spec;
    const bool has_digest = !spec.digest.empty();
    models.push_back({{"name", spec.name},
                      {"model", spec.name},
                      {"size", model.host->size_bytes()},
                      {"digest", has_digest ? spec.digest : call->service.facts.get(spec.path).digest},
                      {"details", details_json(details_of(*call, spec))},
                      {"expires_at", expiry_text(model)},
                      {"size_vram", 0},
                      {"context_length", model.host->n_ctx_request()}});
  }
  call->answer({{"models", std::move(models)}});
}

void ollama_show(const std::shared_ptr<Call>& call) {
  const Input body = parse_body(call->request().body);
  const Fields fields(body);
  const std::string name = required_model(fields);
  const bool verbose = fields.flag("verbose").value_or(false);
  if (const ModelSpec* spec = fixed_model(*call, name)) {
    const auto model = as_stored(*spec, call->service.facts.get(spec->path));
    return call->answer(show_json(*call, model, spec->name, verbose));
  }
  const auto spec = call->service.catalog.find(name);
  if (!spec) throw api_error(spec.error());
  const auto model = required_store(*call).find(store_name(name, "model"));
  if (!model) throw store_error(*call, model.error());
  call->answer(show_json(*call, *model, model->name.text(), verbose));
}

void ollama_version(const std::shared_ptr<Call>& call) { call->answer({{"version", version()}}); }

}  // namespace quern::server
