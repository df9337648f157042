#include "lib/hf/rope.h"

#include <cmath>
#include <numbers>

#include "lib/io/names.h"

namespace quern::hf {
namespace {

using io::JsonAt;

/// A divisor that leaves an element as good as unturned at any position.
constexpr float kUnturned = 1e30f;

/// The settings of a scaling, and the model's other fields.
struct Scaling {
  const Fields& fields;
  std::string place;  ///< "rope_scaling"

  JsonAt at(std::string_view name) const { return fields.at(cat(place, ".", name)); }
  Result<std::optional<double>> find(std::string_view name) const { return fields.number(cat(place, ".", name)); }
  Result<double> need(std::string_view name) const {
    QUERN_TRY(const auto value, find(name));
    if (!value || !(*value > 0)) return at(name).mismatch("a number above 0");
    return *value;
  }
  /// Of positions that the model was first trained with.
  Result<double> original_context() const {
    QUERN_TRY(const auto own, find("original_max_position_embeddings"));
    QUERN_TRY(const auto other, fields.number("original_max_position_embeddings|max_position_embeddings"));
    const double out = own ? *own : other.value_or(0);
    if (!(out >= 1 && out <= 2147483647)) return at("original_max_position_embeddings").mismatch("a number of tokens");
    return out;
  }
};

struct Kind {
  std::string_view names;  ///< separated by '|'
  Result<std::vector<RopeKey>> (*keys)(const Scaling&);
  Result<std::vector<RopeTensor>> (*tensors)(const Scaling&, double base, uint64_t n_rot);
};

double as_float(double value) { return static_cast<float>(value); }

Result<std::vector<RopeKey>> no_keys(const Scaling&) { return std::vector<RopeKey>(); }
Result<std::vector<RopeTensor>> no_tensors(const Scaling&, double, uint64_t) { return std::vector<RopeTensor>(); }

Result<std::vector<RopeKey>> linear(const Scaling& scaling) {
  QUERN_TRY(const double factor, scaling.need("factor"));
  return std::vector<RopeKey>{{"rope.scaling.type", std::string("linear")}, {"rope.scaling.factor", as_float(factor)}};
}

/// YaRN (Peng et al. 2023, arXiv 2309.00071). The magnitude 1 + 0.1 ln(factor) goes without saying; another one becomes
/// a factor on it.
Result<std::vector<RopeKey>> yarn(const Scaling& scaling) {
  QUERN_TRY(const double factor, scaling.need("factor"));
  QUERN_TRY(const double original, scaling.original_context());
  std::vector<RopeKey> out = {{"rope.scaling.type", std::string("yarn")},
                              {"rope.scaling.factor", as_float(factor)},
                              {"rope.scaling.original_context_length", static_cast<uint64_t>(original)}};
  for (const char* const name : {"beta_fast", "beta_slow"}) {
    QUERN_TRY(const auto beta, scaling.find(name));
    if (beta) out.push_back({cat("rope.scaling.yarn_", name), as_float(*beta)});
  }
  QUERN_TRY(const auto magnitude, scaling.find("attention_factor"));
  const double usual = 1 + 0.1 * std::log(factor);
  if (magnitude && std::abs(*magnitude / usual - 1) > 1e-5)
    out.push_back({"rope.scaling.attn_factor", as_float(*magnitude / usual)});
  return out;
}

/// LongRoPE (Ding et al. 2024, arXiv 2402.13753).
Result<std::vector<RopeKey>> longrope(const Scaling& scaling) {
  QUERN_TRY(const double original, scaling.original_context());
  QUERN_TRY(const auto magnitude, scaling.find("attention_factor"));
  QUERN_TRY(const auto context, scaling.fields.number("max_position_embeddings"));
  const double factor = context.value_or(original) / original;
  const double usual = factor > 1 && original > 1 ? std::sqrt(1 + std::log(factor) / std::log(original)) : 1;
  return std::vector<RopeKey>{{"rope.scaling.original_context_length", static_cast<uint64_t>(original)},
                              {"rope.scaling.attn_factor", as_float(magnitude.value_or(usual))}};
}

Result<std::vector<RopeTensor>> longrope_factors(const Scaling& scaling, double, uint64_t n_rot) {
  std::vector<RopeTensor> out;
  for (const char* const name : {"long", "short"}) {
    const JsonAt list = scaling.at(cat(name, "_factor"));
    QUERN_TRY(const auto* const elements, list.need_array());
    if (elements->size() != n_rot / 2) return list.mismatch(cat("an array of ", n_rot / 2, " numbers"));
    RopeTensor tensor{cat("rope_factors_", name, ".weight"), {}};
    for (size_t i = 0; i < elements->size(); ++i) {
      const auto* const real = list[i].get<double>();
      const auto* const integer = list[i].get<int64_t>();
      const double value = real ? *real : integer ? static_cast<double>(*integer) : 0;
      if (!(value > 0)) return list[i].mismatch("a number above 0");
      tensor.elements.push_back(static_cast<float>(value));
    }
    out.push_back(std::move(tensor));
  }
  return out;
}

/// Llama 3.1: waves longer than the original context / low_freq_factor are stretched by `factor`, those shorter than
/// the original context / high_freq_factor stay, and between these the share of the stretched ones fades.
Result<std::vector<RopeTensor>> llama3_factors(const Scaling& scaling, double base, uint64_t n_rot) {
  QUERN_TRY(const double factor, scaling.need("factor"));
  QUERN_TRY(const double low, scaling.need("low_freq_factor"));
  QUERN_TRY(const double high, scaling.need("high_freq_factor"));
  QUERN_TRY(const double original, scaling.original_context());
  if (!(high > low)) return scaling.at("high_freq_factor").mismatch("more than low_freq_factor");
  RopeTensor out{"rope_freqs.weight", {}};
  for (uint64_t i = 0; i < n_rot / 2; ++i) {
    const double wave =
        2 * std::numbers::pi * std::pow(base, 2.0 * static_cast<double>(i) / static_cast<double>(n_rot));
    double divisor = 1;
    if (wave > original / low) {
      divisor = factor;
    } else if (wave >= original / high) {
      const double kept = (original / wave - low) / (high - low);
      divisor = 1 / ((1 - kept) / factor + kept);
    }
    out.elements.push_back(static_cast<float>(divisor));
  }
  return std::vector<RopeTensor>{std::move(out)};
}

/// A part of the pairs is turned, as if by an embedding of all of them.
Result<std::vector<RopeTensor>> partial(const Scaling& scaling, double, uint64_t n_rot) {
  QUERN_TRY(const auto share, scaling.find("partial_rotary_factor"));
  const double turned = std::floor(static_cast<double>(n_rot) * share.value_or(1) / 2);
  RopeTensor out{"rope_freqs.weight", {}};
  for (uint64_t i = 0; i < n_rot / 2; ++i) out.elements.push_back(static_cast<double>(i) < turned ? 1 : kUnturned);
  return std::vector<RopeTensor>{std::move(out)};
}

constexpr Kind kKinds[] = {
    {"default|mrope", no_keys, no_tensors},
    {"linear", linear, no_tensors},
    {"yarn", yarn, no_tensors},
    {"llama3", no_keys, llama3_factors},
    {"longrope|su", longrope, longrope_factors},
    {"proportional", no_keys, partial},
};

const Kind* find_kind(std::string_view name) {
  for (const Kind& kind : kKinds) {
    for (const std::string_view own : pieces(kind.names, '|')) {
      if (own == name) return &kind;
    }
  }
  return nullptr;
}

/// The field that names the kind of a scaling.
JsonAt kind_of(const Fields& fields, std::string_view place) {
  const JsonAt kind = fields.at(cat(place, ".rope_type"));
  return kind.present() ? kind : fields.at(cat(place, ".type"));
}

struct Found {
  Scaling scaling;
  const Kind* kind;
};
Result<Found> find_scaling(const Fields& fields) {
  constexpr std::string_view kPlaces[] = {"rope_scaling", "rope_parameters.full_attention", "rope_parameters"};
  const JsonAt local = kind_of(fields, "rope_parameters.sliding_attention");
  QUERN_ENSURE(!local.present() || local.is("default"), Errc::unsupported, local.place(),
               ": expected 'default' in layers with a sliding window, found ", local.value()->describe());
  for (const std::string_view place : kPlaces) {
    const JsonAt name = kind_of(fields, place);
    if (!name.present()) continue;
    QUERN_TRY(const std::string_view text, name.need_text());
    const Kind* const kind = find_kind(text);
    QUERN_ENSURE(kind != nullptr, Errc::unsupported, name.place(), ": scaling of the kind ", io::quoted(text),
                 " is not supported");
    return Found{{fields, std::string(place)}, kind};
  }
  return Found{{fields, ""}, &kKinds[0]};
}

}  // namespace

Result<std::vector<RopeKey>> rope_keys(const Fields& fields, const arch::HfArch& table) {
  if (table.spec->rope == arch::Rope::none) return std::vector<RopeKey>();
  QUERN_TRY(const Found found, find_scaling(fields));
  return found.kind->keys(found.scaling);
}

Result<std::vector<RopeTensor>> rope_tensors(const Fields& fields, const arch::HfArch& table, double base,
                                             uint64_t n_rot) {
  if (table.spec->rope == arch::Rope::none) return std::vector<RopeTensor>();
  QUERN_TRY(const Found found, find_scaling(fields));
  return found.kind->tensors(found.scaling, base, n_rot);
}

}  // namespace quern::hf
