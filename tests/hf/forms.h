// The linears of tests/data/hf: as checkpoints in memory.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/hf/checkpoint.h"
#include "lib/hf/matrix.h"

namespace quern::hf::test {

inline std::string data_path(std::string_view name) { return cat(QUERN_TEST_DATA_DIR, "/hf/", name); }

/// A checkpoint of one file; its configuration is set apart.
inline Checkpoint checkpoint_of(std::string_view file) {
  Checkpoint out;
  out.path = data_path("");
  out.config_path = data_path("config.json");
  out.files.push_back(base::FileBytes::open(data_path(file), {}).value());
  out.arrays = io::parse_safetensors(out.files[0].bytes(), out.files[0].path()).value();
  return out;
}

inline void set_config(Checkpoint& checkpoint, std::string_view json) {
  checkpoint.config =
      io::parse_json(std::as_bytes(std::span(json.data(), json.size())), checkpoint.config_path).value();
}

/// What forms.json says of a module.
struct Form {
  std::string module, type, config;
  uint64_t rows = 0, step = 1;
  bool note = false;
};

inline std::string json_text(const io::Json& json) {
  if (const auto* text = json.get<std::string>()) return cat("\"", *text, "\"");
  if (const auto* whole = json.get<int64_t>()) return cat(*whole);
  if (const auto* yes = json.get<bool>()) return cat(*yes);
  std::string out;
  if (const auto* array = json.get<io::Json::Array>()) {
    for (const io::Json& element : *array) out += cat(out.empty() ? "" : ",", json_text(element));
    return cat("[", out, "]");
  }
  if (const auto* object = json.get<io::Json::Object>()) {
    for (const io::JsonMember& member : *object) {
      out += cat(out.empty() ? "" : ",", "\"", member.name, "\":", json_text(member.value));
    }
    return cat("{", out, "}");
  }
  return "null";
}

inline std::vector<Form> read_forms() {
  const auto file = base::FileBytes::open(data_path("forms.json"), {}).value();
  const io::Json json = io::parse_json(file.bytes(), file.path()).value();
  std::vector<Form> out;
  for (const io::Json& entry : *json.get<io::Json::Array>()) {
    Form form;
    form.module = *entry.find("module")->get<std::string>();
    form.type = *entry.find("type")->get<std::string>();
    form.note = *entry.find("note")->get<bool>();
    form.rows = static_cast<uint64_t>(*entry.find("rows")->get<int64_t>());
    form.step = static_cast<uint64_t>(*entry.find("step")->get<int64_t>());
    const io::Json* config = entry.find("quantization_config");
    form.config = config ? cat("{\"quantization_config\":", json_text(*config), "}") : "{}";
    out.push_back(std::move(form));
  }
  return out;
}

}  // namespace quern::hf::test
