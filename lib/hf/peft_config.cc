#include "lib/hf/peft_config.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "lib/io/json.h"
#include "lib/io/names.h"

namespace quern::hf {

using io::Json;
using io::JsonAt;

namespace {

/// Fields that must be absent, false or empty: what else they say would change the model in other ways.
constexpr const char* kUnsupported[] = {"use_dora",
                                        "modules_to_save",
                                        "lora_bias",
                                        "use_qalora",
                                        "layer_replication",
                                        "target_parameters",
                                        "alora_invocation_tokens",
                                        "trainable_token_indices"};

/// Ways to begin a training that leave the model's own weights as they are; others change them too.
constexpr std::string_view kBeginnings[] = {"gaussian", "eva", "orthogonal"};

bool says_nothing(const JsonAt& field) {
  if (!field.present()) return true;
  if (const bool* flag = field.get<bool>()) return !*flag;
  const bool holds = field.get<Json::Array>() != nullptr || field.get<Json::Object>() != nullptr;
  return holds && field.size() == 0;
}

std::optional<double> number_at(const JsonAt& field) {
  if (const int64_t* whole = field.get<int64_t>()) return static_cast<double>(*whole);
  if (const double* real = field.get<double>(); real != nullptr && std::isfinite(*real)) return *real;
  return std::nullopt;
}

Status check_kind(const JsonAt& root) {
  const JsonAt kind = root["peft_type"];
  if (!kind.is("LORA")) return kind.mismatch("\"LORA\", the only kind of adapter that is supported");
  for (const char* const name : kUnsupported) {
    if (!says_nothing(root[name])) return root[name].mismatch("nothing: adapters with this are not supported");
  }
  const JsonAt bias = root["bias"];
  if (bias.present() && !bias.is("none"))
    return bias.mismatch("\"none\": adapters that change biases are not supported");
  const JsonAt begin = root["init_lora_weights"];
  const bool known =
      !begin.present() || begin.get<bool>() != nullptr ||
      std::any_of(std::begin(kBeginnings), std::end(kBeginnings), [&](auto name) { return begin.is(name); });
  if (!known)
    return begin.mismatch("true, false, \"gaussian\", \"eva\" or \"orthogonal\": others change the model itself");
  return {};
}

/// A regular expression for the end of a module's name, of which only plain names are understood.
bool is_plain_name(std::string_view pattern) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
  };
  return !pattern.empty() && std::all_of(pattern.begin(), pattern.end(), plain);
}

Status read_alphas(const JsonAt& field, PeftConfig& out) {
  QUERN_TRY(const Json::Object* const alphas, field.object());
  if (alphas == nullptr) return {};
  for (const io::JsonMember& member : *alphas) {
    const JsonAt at = field[member.name];
    QUERN_ENSURE(is_plain_name(member.name), Errc::unsupported, at.place(),
                 ": expected the end of a module's name; regular expressions are not supported");
    const auto alpha = number_at(at);
    if (!alpha) return at.mismatch("a number");
    out.alphas.emplace_back(member.name, *alpha);
  }
  return {};
}

}  // namespace

float PeftConfig::scale(std::string_view module, uint64_t its_rank) const {
  double own = alpha;
  for (const auto& [end, value] : alphas) {
    const bool whole = module == end;
    const bool fits = whole || (module.ends_with(end) && module[module.size() - end.size() - 1] == '.');
    if (!fits) continue;
    own = value;
    break;
  }
  const double rank_of_it = static_cast<double>(its_rank);
  return static_cast<float>(own / (by_root ? std::sqrt(rank_of_it) : rank_of_it));
}

Result<PeftConfig> read_peft_config(std::span<const std::byte> bytes, const std::string& path) {
  QUERN_TRY(const Json json, io::parse_json(bytes, path));
  const JsonAt root(&json, path);
  QUERN_CHECK(root.need_object());
  QUERN_CHECK(check_kind(root));
  PeftConfig out;
  const JsonAt rank = root["r"];
  QUERN_TRY(const auto r, rank.integer());
  if (!r || *r < 1) return rank.mismatch("a number of at least 1");
  out.rank = static_cast<uint64_t>(*r);
  out.rank_varies = !says_nothing(root["rank_pattern"]);
  const auto alpha = number_at(root["lora_alpha"]);
  if (!alpha) return root["lora_alpha"].mismatch("a number");
  out.alpha = *alpha;
  QUERN_TRY(const auto by_root, root["use_rslora"].boolean());
  out.by_root = by_root.value_or(false);
  QUERN_CHECK(read_alphas(root["alpha_pattern"], out));
  return out;
}

}  // namespace quern::hf
