#include "examples/cli/stored_settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace quern::cli {
namespace {

using Json = nlohmann::ordered_json;

/// One parameter of a Modelfile: its flag here, and how its value is taken.
struct Binding {
  const char* name;
  const char* flag;
  void (*set)(const SettingsTarget& target, const Json& value);
};

int32_t whole(const Json& value) {
  const double number = value.is_number() ? value.get<double>() : 0;
  return static_cast<int32_t>(std::clamp(number, -2147483648.0, 2147483647.0));
}

float real(const Json& value) { return value.is_number() ? value.get<float>() : 0; }

const Binding kBindings[] = {
    {"num_ctx", "ctx-size",
     [](const SettingsTarget& t, const Json& v) { t.context.n_ctx = static_cast<uint32_t>(std::max(0, whole(v))); }},
    {"num_batch", "batch-size",
     [](const SettingsTarget& t, const Json& v) {
       t.context.n_batch = static_cast<uint32_t>(std::clamp(whole(v), 1, 65536));
     }},
    {"num_thread", "threads",
     [](const SettingsTarget& t, const Json& v) { t.model.n_threads = std::clamp(whole(v), 0, 4096); }},
    // -2, "until the context is full", is what happens anyway.
    {"num_predict", "predict", [](const SettingsTarget& t, const Json& v) { t.n_predict = std::max(-1, whole(v)); }},
    {"seed", "seed",
     [](const SettingsTarget& t, const Json& v) {
       t.sampler.seed = std::max<int64_t>(-1, v.is_number() ? v.get<int64_t>() : -1);
     }},
    {"use_mmap", "no-mmap", [](const SettingsTarget& t, const Json& v) { t.model.no_mmap = v == false; }},
    {"cache_type_k", "cache-type-k",
     [](const SettingsTarget& t, const Json& v) { t.context.type_k = v.is_string() ? v.get<std::string>() : "f16"; }},
    {"cache_type_v", "cache-type-v",
     [](const SettingsTarget& t, const Json& v) { t.context.type_v = v.is_string() ? v.get<std::string>() : "f16"; }},
    {"temperature", "temp", [](const SettingsTarget& t, const Json& v) { t.sampler.options.temperature = real(v); }},
    {"top_k", "top-k", [](const SettingsTarget& t, const Json& v) { t.sampler.options.top_k = whole(v); }},
    {"top_p", "top-p", [](const SettingsTarget& t, const Json& v) { t.sampler.options.top_p = real(v); }},
    {"min_p", "min-p", [](const SettingsTarget& t, const Json& v) { t.sampler.options.min_p = real(v); }},
    {"typical_p", "typical", [](const SettingsTarget& t, const Json& v) { t.sampler.options.typical_p = real(v); }},
    {"repeat_last_n", "repeat-last-n",
     [](const SettingsTarget& t, const Json& v) { t.sampler.options.penalty_last_n = whole(v); }},
    {"repeat_penalty", "repeat-penalty",
     [](const SettingsTarget& t, const Json& v) { t.sampler.options.repeat_penalty = real(v); }},
    {"presence_penalty", "presence-penalty",
     [](const SettingsTarget& t, const Json& v) { t.sampler.options.presence_penalty = real(v); }},
    {"frequency_penalty", "frequency-penalty",
     [](const SettingsTarget& t, const Json& v) { t.sampler.options.frequency_penalty = real(v); }},
    {"mirostat", "mirostat", [](const SettingsTarget& t, const Json& v) { t.sampler.options.mirostat = whole(v); }},
    {"mirostat_tau", "mirostat-ent",
     [](const SettingsTarget& t, const Json& v) { t.sampler.options.mirostat_tau = real(v); }},
    {"mirostat_eta", "mirostat-lr",
     [](const SettingsTarget& t, const Json& v) { t.sampler.options.mirostat_eta = real(v); }},
};

void add_stops(const Json& value, std::vector<std::string>& stop) {
  const auto add = [&stop](const Json& one) {
    if (one.is_string() && !one.get<std::string>().empty()) stop.push_back(one.get<std::string>());
  };
  if (!value.is_array()) return add(value);
  for (const auto& one : value) add(one);
}

}  // namespace

std::set<std::string> given_flags(const CLI::App& command) {
  std::set<std::string> out;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    out.insert(option->get_lnames().begin(), option->get_lnames().end());
  }
  return out;
}

Status apply_stored(const store::StoredModel& stored, const std::set<std::string>& given,
                    const SettingsTarget& target) {
  const Json parameters = Json::parse(stored.parameters_json, nullptr, false);
  if (!parameters.is_object()) return Error{Errc::format, stored.name.text() + ": its parameters are no JSON object"};
  for (const auto& binding : kBindings) {
    const auto it = parameters.find(binding.name);
    if (it != parameters.end() && given.count(binding.flag) == 0) binding.set(target, *it);
  }
  const auto stop = parameters.find("stop");
  if (stop != parameters.end() && given.count("stop") == 0) add_stops(*stop, target.stop);
  if (given.count("system-prompt") == 0) target.system = stored.system;
  const bool own_adapters = given.count("lora") > 0 || given.count("lora-scaled") > 0;
  if (!own_adapters) target.context.adapters.lora = stored.adapters;
  return {};
}

Result<ChatTemplate> template_for(const Model& model, const std::optional<store::StoredModel>& stored) {
  if (stored && store::is_jinja(stored->tmpl)) return ChatTemplate::from_source(model, stored->tmpl);
  return ChatTemplate::from_model(model);
}

}  // namespace quern::cli
