#include "examples/server/api/fields.h"

#include <cmath>
#include <limits>
#include <utility>

namespace quern::server {
namespace {

constexpr size_t kMaxStops = 16, kMaxStopBytes = 1024;
constexpr size_t kMaxBiases = 65536;

std::string shown(const Input& value) {
  std::string text = dump(value);
  constexpr size_t kMost = 60;
  if (text.size() <= kMost) return text;
  size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a character
  return text.substr(0, end) + "...";
}

std::string range(double least, double most) {
  const auto text = [](double v) {
    char buffer[32];
    std::snprintf(buffer, sizeof(buffer), "%.10g", v);
    return std::string(buffer);
  };
  return text(least) + " to " + text(most);
}

struct NumberField {
  const char* name;
  float SamplerOptions::*member;
  double least, most;
};
constexpr NumberField kNumbers[] = {
    {"temperature", &SamplerOptions::temperature, 0, 100},
    {"dynatemp_range", &SamplerOptions::dynatemp_range, 0, 100},
    {"dynatemp_exponent", &SamplerOptions::dynatemp_exponent, 0, 100},
    {"top_p", &SamplerOptions::top_p, 0, 1},
    {"min_p", &SamplerOptions::min_p, 0, 1},
    {"typical_p", &SamplerOptions::typical_p, 0, 1},
    {"top_n_sigma", &SamplerOptions::top_n_sigma, -1, 100},
    {"xtc_probability", &SamplerOptions::xtc_probability, 0, 1},
    {"xtc_threshold", &SamplerOptions::xtc_threshold, 0, 1},
    {"repeat_penalty", &SamplerOptions::repeat_penalty, 1e-6, 100},
    {"frequency_penalty", &SamplerOptions::frequency_penalty, -2, 2},
    {"presence_penalty", &SamplerOptions::presence_penalty, -2, 2},
    {"dry_multiplier", &SamplerOptions::dry_multiplier, 0, 100},
    {"dry_base", &SamplerOptions::dry_base, 0, 100},
    {"mirostat_tau", &SamplerOptions::mirostat_tau, 0, 100},
    {"mirostat_eta", &SamplerOptions::mirostat_eta, 0, 1},
};

struct IntegerField {
  const char* name;
  int32_t SamplerOptions::*member;
  int64_t least, most;
};
constexpr IntegerField kIntegers[] = {
    {"top_k", &SamplerOptions::top_k, -1, 1 << 24},
    {"repeat_last_n", &SamplerOptions::penalty_last_n, -1, 1 << 24},
    {"dry_allowed_length", &SamplerOptions::dry_allowed_length, 0, 1 << 20},
    {"dry_penalty_last_n", &SamplerOptions::dry_penalty_last_n, -1, 1 << 24},
    {"mirostat", &SamplerOptions::mirostat, 0, 2},
};

/// llama-server's names of the steps, and our letters for them.
constexpr std::pair<const char*, char> kSteps[] = {
    {"penalties", 'e'}, {"dry", 'd'},   {"top_n_sigma", 's'}, {"top_k", 'k'}, {"typ_p", 'y'},
    {"typical_p", 'y'}, {"top_p", 'p'}, {"min_p", 'm'},       {"xtc", 'x'},   {"temperature", 't'},
};

std::string read_order(const Fields& fields) {
  std::string order;
  for (const auto& step : fields.texts("samplers", 32)) {
    char letter = 0;
    for (const auto& [name, c] : kSteps) {
      if (step == name) letter = c;
    }
    if (letter == 0) bad_field(fields.name("samplers"), "there is no sampler '" + step + "'");
    order += letter;
  }
  return order;
}

float bias_value(const Input& value, const std::string& field) {
  if (value.is_boolean() && !value.get<bool>()) return -std::numeric_limits<float>::infinity();
  if (!value.is_number()) bad_field(field, "expected a number, found " + shown(value));
  const double bias = value.get<double>();
  if (!(std::abs(bias) <= 1e6)) bad_field(field, "expected -100 to 100, found " + shown(value));
  return static_cast<float>(bias);
}

Token checked_token(int64_t token, const Model& model, const std::string& field) {
  const int64_t n = model.tokenizer().n_tokens();
  if (token < 0 || token >= n)
    bad_field(field, "token " + std::to_string(token) + " is not one of the vocabulary's " + std::to_string(n));
  return static_cast<Token>(token);
}

}  // namespace

const Input* Fields::find(const char* field) const {
  const auto it = object_.find(field);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

std::optional<std::string> Fields::text(const char* field) const {
  const Input* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) bad_field(name(field), "expected a string, found " + shown(*value));
  return value->get<std::string>();
}

std::string Fields::required_text(const char* field) const {
  auto value = text(field);
  if (!value) bad_field(name(field), "this field is required");
  return std::move(*value);
}

std::optional<bool> Fields::flag(const char* field) const {
  const Input* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) bad_field(name(field), "expected true or false, found " + shown(*value));
  return value->get<bool>();
}

std::optional<int64_t> Fields::integer(const char* field, int64_t least, int64_t most) const {
  const Input* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) bad_field(name(field), "expected a whole number, found " + shown(*value));
  const double number = value->get<double>();
  if (number != std::floor(number)) bad_field(name(field), "expected a whole number, found " + shown(*value));
  if (!(number >= static_cast<double>(least) && number <= static_cast<double>(most)))
    bad_field(name(field),
              "expected " + std::to_string(least) + " to " + std::to_string(most) + ", found " + shown(*value));
  return value->is_number_float() ? static_cast<int64_t>(number) : value->get<int64_t>();
}

std::optional<double> Fields::number(const char* field, double least, double most) const {
  const Input* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) bad_field(name(field), "expected a number, found " + shown(*value));
  const double number = value->get<double>();
  if (!(number >= least && number <= most))
    bad_field(name(field), "expected " + range(least, most) + ", found " + shown(*value));
  return number;
}

std::vector<std::string> Fields::texts(const char* field, size_t most) const {
  const Input* value = find(field);
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get<std::string>()};
  if (!value->is_array()) bad_field(name(field), "expected a string or a list of strings, found " + shown(*value));
  if (value->size() > most)
    bad_field(name(field), "at most " + std::to_string(most) + " are taken, found " + std::to_string(value->size()));
  std::vector<std::string> out;
  for (const Input& item : *value) {
    if (!item.is_string()) bad_field(name(field), "expected strings, found " + shown(item));
    out.push_back(item.get<std::string>());
  }
  return out;
}

std::optional<Fields> Fields::object(const char* field) const {
  const Input* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) bad_field(name(field), "expected an object, found " + shown(*value));
  return Fields(*value, prefix_ + field + ".");
}

void Fields::refuse(const char* field, const char* why) const {
  const Input* value = find(field);
  if (value == nullptr) return;
  const bool nothing = (value->is_structured() && value->empty()) || (value->is_boolean() && !value->get<bool>()) ||
                       (value->is_string() && (value->get_ref<const std::string&>() == "none" ||
                                               value->get_ref<const std::string&>().empty()));
  if (!nothing) throw ApiError(400, name(field) + ": " + why, name(field), "unsupported_parameter");
}

void read_sampler(const Fields& fields, SamplerOptions& options) {
  for (const auto& f : kNumbers) {
    if (const auto value = fields.number(f.name, f.least, f.most)) options.*f.member = static_cast<float>(*value);
  }
  for (const auto& f : kIntegers) {
    if (const auto value = fields.integer(f.name, f.least, f.most)) options.*f.member = static_cast<int32_t>(*value);
  }
  // A seed may be any whole number that a double holds; -1 is a random one, as is none.
  constexpr int64_t kMostSeed = int64_t{1} << 53;
  if (const auto seed = fields.integer("seed", -kMostSeed, kMostSeed)) {
    if (*seed != -1)
      options.seed = static_cast<uint32_t>(static_cast<uint64_t>(*seed) ^ (static_cast<uint64_t>(*seed) >> 32));
  }
  if (const auto keep = fields.integer("min_keep", 0, 1 << 20)) options.min_keep = static_cast<uint32_t>(*keep);
  if (const auto ignore = fields.flag("ignore_eos")) options.ignore_eos = *ignore;
  if (fields.has("dry_sequence_breakers")) options.dry_sequence_breakers = fields.texts("dry_sequence_breakers", 64);
  if (fields.has("samplers")) options.order = read_order(fields);
}

void read_logit_bias(const Fields& fields, const Model& model, SamplerOptions& options) {
  const Input* value = fields.find("logit_bias");
  if (value == nullptr) return;
  const std::string field = fields.name("logit_bias");
  if (!value->is_structured()) bad_field(field, "expected an object of token ids and biases, found " + shown(*value));
  if (value->size() > kMaxBiases) bad_field(field, "at most " + std::to_string(kMaxBiases) + " are taken");
  if (value->is_object()) {
    for (const auto& [key, bias] : value->items()) {
      const bool digits = !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string::npos;
      if (!digits) bad_field(field, "expected token ids as names, found \"" + key + "\"");
      options.logit_bias.push_back({checked_token(std::stoll(key), model, field), bias_value(bias, field)});
    }
    return;
  }
  for (const Input& item : *value) {
    if (!item.is_array() || item.size() != 2) bad_field(field, "expected pairs [token, bias], found " + shown(item));
    const float bias = bias_value(item[1], field);
    if (item[0].is_number_integer()) {
      options.logit_bias.push_back({checked_token(item[0].get<int64_t>(), model, field), bias});
    } else if (item[0].is_string()) {
      for (const Token t : model.tokenizer().tokenize(item[0].get<std::string>(), {false, false}))
        options.logit_bias.push_back({t, bias});
    } else {
      bad_field(field, "expected a token or a text, found " + shown(item[0]));
    }
  }
}

std::vector<std::string> read_stop(const Fields& fields) {
  auto stops = fields.texts("stop", kMaxStops);
  std::erase_if(stops, [](const std::string& stop) { return stop.empty(); });
  for (const auto& stop : stops) {
    if (stop.size() > kMaxStopBytes)
      bad_field(fields.name("stop"), "a text of at most " + std::to_string(kMaxStopBytes) + " bytes was expected");
  }
  return stops;
}

std::vector<Token> read_tokens(const Input& list, const Model& model, const std::string& field) {
  std::vector<Token> out;
  out.reserve(list.size());
  for (const Input& item : list) {
    if (!item.is_number_integer()) bad_field(field, "expected tokens, found " + shown(item));
    out.push_back(checked_token(item.get<int64_t>(), model, field));
  }
  return out;
}

}  // namespace quern::server
