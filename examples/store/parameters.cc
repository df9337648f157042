// The parameters of a Modelfile: their names and types, and their form as JSON. Names and types are those of Ollama's
// api.Options (https://docs.ollama.com/modelfile#parameter), with those that it once had and has dropped.
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "examples/store/modelfile.h"
#include "examples/store/text.h"

namespace quern::store {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto kInteger = ParameterKind::integer;
constexpr auto kNumber = ParameterKind::number;
constexpr auto kBoolean = ParameterKind::boolean;
constexpr auto kText = ParameterKind::text;

constexpr ParameterInfo kParameters[] = {
    {"num_ctx", kInteger, true},
    {"num_predict", kInteger, true},
    {"seed", kInteger, true},
    {"temperature", kNumber, true},
    {"top_k", kInteger, true},
    {"top_p", kNumber, true},
    {"min_p", kNumber, true},
    {"typical_p", kNumber, true},
    {"repeat_last_n", kInteger, true},
    {"repeat_penalty", kNumber, true},
    {"presence_penalty", kNumber, true},
    {"frequency_penalty", kNumber, true},
    {"stop", kText, true},
    {"num_batch", kInteger, true},
    {"num_thread", kInteger, true},
    {"use_mmap", kBoolean, true},
    {"mirostat", kInteger, true},
    {"mirostat_tau", kNumber, true},
    {"mirostat_eta", kNumber, true},
    {"num_keep", kInteger, false},
    {"num_gpu", kInteger, false},
    {"main_gpu", kInteger, false},
    {"draft_num_predict", kInteger, false},
    {"penalize_newline", kBoolean, false},
    {"tfs_z", kNumber, false},
    {"numa", kBoolean, false},
    {"num_gqa", kInteger, false},
    {"low_vram", kBoolean, false},
    {"f16_kv", kBoolean, false},
    {"logits_all", kBoolean, false},
    {"vocab_only", kBoolean, false},
    {"use_mlock", kBoolean, false},
    {"embedding_only", kBoolean, false},
    {"cache_type_k", kText, true},
    {"cache_type_v", kText, true},
};

template <class T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

Result<Json> typed(const ParameterInfo& info, const std::string& value) {
  const auto wrong = [&](const char* expected) {
    return Error{Errc::format,
                 "PARAMETER " + std::string(info.name) + ": expected " + expected + ", found '" + shown(value) + "'"};
  };
  switch (info.kind) {
    case ParameterKind::integer: {
      int64_t number = 0;
      if (!parse_number(value, number) || std::abs(static_cast<double>(number)) > 0xFFFFFFFF) {
        return wrong("a whole number of at most 32 bits");
      }
      return Json(number);
    }
    case ParameterKind::number: {
      double number = 0;
      if (!parse_number(value, number) || !std::isfinite(number)) return wrong("a number");
      return Json(number);
    }
    case ParameterKind::boolean:
      if (value != "true" && value != "false") return wrong("true or false");
      return Json(value == "true");
    case ParameterKind::text:
      break;
  }
  return Json(value);
}

/// A number as it is shortest.
std::string number_text(const Json& value) {
  if (!value.is_number_float()) return value.dump();
  char digits[64];
  const double number = value.get<double>();
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

}  // namespace

const ParameterInfo* find_parameter(std::string_view name) {
  for (const auto& info : kParameters) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

Result<std::string> Modelfile::parameters_json() const {
  Json out = Json::object();
  for (const auto& [name, value] : parameters) {
    const ParameterInfo* info = find_parameter(name);
    if (info == nullptr) return Error{Errc::format, "PARAMETER: unknown name '" + shown(name) + "'"};
    auto json = typed(*info, value);
    if (!json) return json.error();
    if (name == "stop") {
      out[name].push_back(std::move(*json));
    } else {
      out[name] = std::move(*json);
    }
  }
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::vector<std::pair<std::string, std::string>>> parameters_from_json(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> out;
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Error{Errc::format, "parameters: expected a JSON object"};
  for (const auto& [name, value] : json.items()) {
    const auto add = [&out, &key = name](const Json& one) {
      if (one.is_string()) {
        out.emplace_back(key, one.get<std::string>());
      } else if (one.is_boolean()) {
        out.emplace_back(key, one.get<bool>() ? "true" : "false");
      } else if (one.is_number()) {
        out.emplace_back(key, number_text(one));
      } else {
        return false;
      }
      return true;
    };
    bool good = true;
    if (value.is_array()) {
      for (const auto& one : value) good = good && add(one);
    } else {
      good = add(value);
    }
    if (!good) {
      return Error{Errc::format,
                   "parameters: '" + shown(name) + "': expected a number, true, false, a text or a list of these"};
    }
  }
  return out;
}

std::string parameters_text(const std::vector<std::pair<std::string, std::string>>& parameters) {
  constexpr size_t kWidth = 30;
  std::string out;
  for (const auto& [name, value] : parameters) {
    std::string line = name;
    line.resize(std::max(line.size(), kWidth), ' ');
    const ParameterInfo* info = find_parameter(name);
    const bool is_text = info != nullptr && info->kind == ParameterKind::text;
    line += is_text ? " " + Json(value).dump(-1, ' ', false, Json::error_handler_t::replace) : " " + value;
    out += (out.empty() ? "" : "\n") + line;
  }
  return out;
}

}  // namespace quern::store
