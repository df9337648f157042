#include "examples/store/manifest.h"

#include <nlohmann/json.hpp>
#include <set>

#include "examples/store/text.h"
#include "examples/store/try.h"

namespace quern::store {
namespace {

using Json = nlohmann::ordered_json;

Error wrong(const std::string& where, const std::string& why) { return {Errc::format, where + ": " + why}; }

/// A member that is a text; empty where there is none or it is null.
Result<std::string> text_of(const Json& object, const char* key, const std::string& where) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return std::string();
  if (!it->is_string()) return wrong(where, std::string("'") + key + "': expected a text");
  return it->get<std::string>();
}

Result<Layer> parse_layer(const Json& json, const std::string& where) {
  if (!json.is_object()) return wrong(where, "expected an object with mediaType, digest and size");
  QUERN_TRY(std::string media_type, text_of(json, "mediaType", where));
  QUERN_TRY(const std::string digest_text, text_of(json, "digest", where));
  QUERN_TRY(std::string name, text_of(json, "name", where));
  auto digest = Digest::parse(digest_text);
  if (!digest) return wrong(where, digest.error().message);
  const auto size = json.find("size");
  if (size == json.end() || !size->is_number_unsigned() || size->get<uint64_t>() > kMaxBlobBytes) {
    return wrong(where, "'size': expected a whole number of at most 2^46 bytes");
  }
  const bool is_file = media_type == kFileType || media_type == kAdapterFileType;
  if (is_file && !is_plain_file_name(name)) {
    return wrong(where, "'name': expected a plain file name, found '" + shown(name) + "'");
  }
  return Layer{std::move(media_type), std::move(*digest), size->get<uint64_t>(), std::move(name)};
}

Json layer_json(const Layer& layer) {
  Json out = {{"mediaType", layer.media_type}, {"digest", layer.digest.text()}, {"size", layer.size}};
  if (!layer.name.empty()) out["name"] = layer.name;
  return out;
}

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

bool is_plain_file_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxFileNameBytes || name[0] == '.') return false;
  for (const char c : name) {
    if (c == '/' || c == '\\' || static_cast<unsigned char>(c) < 32 || c == 127) return false;
  }
  return true;
}

Result<Manifest> Manifest::parse(std::string_view text, const std::string& where) {
  if (text.size() > kMaxManifestBytes) return wrong(where, "a manifest of more than 4 MiB");
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return wrong(where, "expected a manifest: a JSON object");
  Manifest out;
  const auto config = json.find("config");
  if (config != json.end() && config->is_object()) {
    const auto digest = config->find("digest");
    if (digest != config->end() && *digest != "") {
      QUERN_TRY(Layer layer, parse_layer(*config, where + ": config"));
      out.config.push_back(std::move(layer));
    }
  }
  const auto layers = json.find("layers");
  if (layers == json.end() || !layers->is_array()) {
    // An error document, a list of platforms (schema 2's index), or schema 1: say what it has instead.
    QUERN_TRY(const std::string type, text_of(json, "mediaType", where));
    return wrong(where, "'layers': expected a list" + (type.empty() ? "" : "; the document is a " + shown(type)));
  }
  if (layers->size() > kMaxLayers) return wrong(where, "'layers': more than " + std::to_string(kMaxLayers));
  std::set<std::string> names;
  for (const auto& layer : *layers) {
    const std::string place = where + ": layer " + std::to_string(out.layers.size());
    QUERN_TRY(Layer parsed, parse_layer(layer, place));
    const bool is_file = parsed.media_type == kFileType || parsed.media_type == kAdapterFileType;
    if (is_file && !names.insert(parsed.media_type + parsed.name).second) {
      return wrong(place, "'name': a second file '" + shown(parsed.name) + "'");
    }
    out.layers.push_back(std::move(parsed));
  }
  return out;
}

std::string Manifest::dump() const {
  Json out = {{"schemaVersion", 2}, {"mediaType", kManifestType}};
  out["config"] = config.empty() ? Json::object() : layer_json(config[0]);
  out["layers"] = Json::array();
  for (const auto& layer : layers) out["layers"].push_back(layer_json(layer));
  return dumped(out);
}

uint64_t Manifest::size_bytes() const {
  uint64_t out = 0;  // at most 4097 times 2^46: no overflow
  for (const auto& layer : blobs()) out += layer.size;
  return out;
}

std::vector<Layer> Manifest::blobs() const {
  std::vector<Layer> out = layers;
  out.insert(out.end(), config.begin(), config.end());
  return out;
}

const Layer* Manifest::find(std::string_view media_type) const {
  for (const auto& layer : layers) {
    if (layer.media_type == media_type) return &layer;
  }
  return nullptr;
}

Result<Config> Config::parse(std::string_view text, const std::string& where) {
  if (text.size() > kMaxConfigBytes) return wrong(where, "a configuration of more than 4 MiB");
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return wrong(where, "expected a configuration: a JSON object");
  Config out;
  QUERN_TRY(out.details.format, text_of(json, "model_format", where));
  QUERN_TRY(out.details.family, text_of(json, "model_family", where));
  QUERN_TRY(out.details.parameter_size, text_of(json, "model_type", where));
  QUERN_TRY(out.details.quantization_level, text_of(json, "file_type", where));
  QUERN_TRY(out.details.parent_model, text_of(json, "parent_model", where));
  QUERN_TRY(out.requires_version, text_of(json, "requires", where));
  QUERN_TRY(out.source, text_of(json, "quern_source", where));
  const auto families = json.find("model_families");
  if (families != json.end() && families->is_array()) {
    for (const auto& family : *families) {
      if (family.is_string()) out.details.families.push_back(family.get<std::string>());
    }
  }
  if (out.details.families.empty() && !out.details.family.empty()) out.details.families = {out.details.family};
  return out;
}

std::string Config::dump() const {
  Json out = {{"model_format", details.format},
              {"model_family", details.family},
              {"model_families", details.families},
              {"model_type", details.parameter_size},
              {"file_type", details.quantization_level}};
  if (!details.parent_model.empty()) out["parent_model"] = details.parent_model;
  if (!requires_version.empty()) out["requires"] = requires_version;
  if (!source.empty()) out["quern_source"] = source;
  // What Docker's own tools want to see in every configuration.
  out["architecture"] = "amd64";
  out["os"] = "linux";
  out["rootfs"] = {{"type", "layers"}, {"diff_ids", Json::array()}};
  return dumped(out);
}

Result<std::vector<Message>> parse_messages(std::string_view text, const std::string& where) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_array()) return wrong(where, "expected a list of messages");
  std::vector<Message> out;
  for (const auto& message : json) {
    if (!message.is_object()) return wrong(where, "a message: expected an object with role and content");
    QUERN_TRY(std::string role, text_of(message, "role", where));
    QUERN_TRY(std::string content, text_of(message, "content", where));
    out.push_back({std::move(role), std::move(content)});
  }
  return out;
}

std::string dump_messages(const std::vector<Message>& messages) {
  Json out = Json::array();
  for (const auto& message : messages) out.push_back({{"role", message.role}, {"content", message.content}});
  return dumped(out);
}

}  // namespace quern::store
