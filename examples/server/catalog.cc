#include "examples/server/catalog.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace quern::server {
std::string time_text(int64_t ns) {
  const auto seconds = static_cast<std::time_t>(ns / 1000000000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  const size_t n = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + n, sizeof(text) - n, ".%09lldZ", static_cast<long long>(ns % 1000000000));
  return text;
}

ModelSpec spec_of(const store::StoredModel& model) {
  ModelSpec spec;
  spec.name = model.name.text();
  spec.path = model.path;
  for (const auto& path : model.adapters) spec.adapters.emplace_back(path, 1.0F);
  if (store::is_jinja(model.tmpl)) spec.chat_template = model.tmpl;
  spec.system = model.system;
  spec.parameters = Input::parse(model.parameters_json, nullptr, false);
  if (!spec.parameters.is_object()) spec.parameters = Input::object();
  for (const auto& message : model.messages) spec.messages.push_back({message.role, message.content});
  spec.digest = model.digest;
  spec.modified_at = time_text(model.modified_ns);
  return spec;
}

Result<ModelSpec> Catalog::find(const std::string& name) const {
  if (name.empty() && !fixed_.empty()) return fixed_.front();
  if (name.empty()) return Error{Errc::argument, "model: this field is required"};
  for (const auto& spec : fixed_) {
    if (spec.name == name || spec.name + ":latest" == name) return spec;
  }
  if (store_) {
    const auto parsed = store::ModelName::parse(name);
    if (!parsed)
      return Error{Errc::not_found, "model '" + name.substr(0, 200) + "' not found: " + parsed.error().message};
    auto found = store_->find(*parsed);
    if (found) return spec_of(*found);
    if (found.error().code != Errc::not_found) return found.error();
  }
  std::string message = "model '" + name.substr(0, 200) + "' not found";
  if (!fixed_.empty()) {
    message += "; this server has ";
    for (const auto& spec : fixed_) message += (&spec == &fixed_.front() ? "'" : ", '") + spec.name + "'";
  }
  return Error{Errc::not_found, message};
}

std::vector<ModelSpec> Catalog::list() const {
  std::vector<ModelSpec> out = fixed_;
  if (!store_) return out;
  const auto entries = store_->list();
  if (!entries) return out;
  for (const auto& entry : *entries) {
    if (auto found = store_->find(entry.name)) out.push_back(spec_of(*found));
  }
  return out;
}

}  // namespace quern::server
