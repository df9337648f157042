// The table of hyper-parameters, and the checks that join them.
#include "lib/model/hparams.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string_view>

#include "lib/io/names.h"

namespace quern::model {
namespace {

using arch::Key;

enum class Kind {
  integer,
  real,
  flag,    ///< 0 or 1
  choice,  ///< one of a list of words; its value is the word's index
};

/// What stands in for an absent key.
struct Default {
  enum class Rule { required, constant, copy, quotient } rule;
  double value = 0;                        ///< constant
  Key of = Key::count_, by = Key::count_;  ///< copy: of; quotient: of / by, which must be exact
};
constexpr Default kRequired{Default::Rule::required};
constexpr Default constant(double value) { return {Default::Rule::constant, value}; }
constexpr Default copy_of(Key key) { return {Default::Rule::copy, 0, key}; }
constexpr Default quotient(Key of, Key by) { return {Default::Rule::quotient, 0, of, by}; }

/// One key. Limits are included in the range. A key comes after those that its default is made of.
struct Row {
  Key key;
  const char* name;  ///< after "{architecture}."
  Kind kind;
  double min, max;
  Default otherwise;
  bool per_layer = false;  ///< an array of integers, one per layer, is allowed too
};

constexpr std::array<std::string_view, 4> kScalingTypes = {"none", "linear", "yarn", "longrope"};
constexpr double kScalingAbsent = -1, kScalingLinear = 1, kScalingYarn = 2, kScalingLongrope = 3;
static_assert(kScalingTypes[1] == "linear" && kScalingTypes[2] == "yarn" && kScalingTypes[3] == "longrope");

constexpr double kMaxContext = 2147483647;  // positions are int32
constexpr double kMaxEmbd = 1 << 20, kMaxFf = 1 << 24, kMaxHeads = 1 << 14, kMaxHeadDim = 1 << 14, kMaxExperts = 1024;
constexpr bool kPerLayer = true;

constexpr Row kTable[] = {
    {Key::context_length, "context_length", Kind::integer, 1, kMaxContext, kRequired},
    {Key::embedding_length, "embedding_length", Kind::integer, 1, kMaxEmbd, kRequired},
    {Key::block_count, "block_count", Kind::integer, 1, 1024, kRequired},
    {Key::vocab_size, "vocab_size", Kind::integer, 1, 1 << 22, constant(0)},
    {Key::embedding_scale, "embedding_scale", Kind::real, 0, 1e6, constant(0)},
    {Key::residual_scale, "residual_scale", Kind::real, 0, 1e6, constant(0)},
    {Key::logit_scale, "logit_scale", Kind::real, 0, 1e6, constant(0)},
    {Key::head_count, "attention.head_count", Kind::integer, 1, kMaxHeads, kRequired, kPerLayer},
    {Key::head_count_kv, "attention.head_count_kv", Kind::integer, 1, kMaxHeads, copy_of(Key::head_count), kPerLayer},
    {Key::key_length, "attention.key_length", Kind::integer, 1, kMaxHeadDim,
     quotient(Key::embedding_length, Key::head_count)},
    {Key::value_length, "attention.value_length", Kind::integer, 1, kMaxHeadDim,
     quotient(Key::embedding_length, Key::head_count)},
    {Key::key_length_full, "attention.key_length_mla", Kind::integer, 1, kMaxHeadDim, copy_of(Key::key_length)},
    {Key::value_length_full, "attention.value_length_mla", Kind::integer, 1, kMaxHeadDim, copy_of(Key::value_length)},
    {Key::q_rank, "attention.q_lora_rank", Kind::integer, 0, kMaxEmbd, constant(0)},
    {Key::kv_rank, "attention.kv_lora_rank", Kind::integer, 1, kMaxHeadDim, constant(0)},
    {Key::feed_forward_length, "feed_forward_length", Kind::integer, 1, kMaxFf, kRequired, kPerLayer},
    {Key::rms_eps, "attention.layer_norm_rms_epsilon", Kind::real, 1e-30, 1, kRequired},
    {Key::attention_scale, "attention.scale", Kind::real, 0, 1e6, constant(0)},
    {Key::attention_temperature, "attention.temperature_scale", Kind::real, 0, 1e3, constant(0)},
    {Key::attention_softcap, "attn_logit_softcapping", Kind::real, 0, 1e6, constant(0)},
    {Key::logit_softcap, "final_logit_softcapping", Kind::real, 0, 1e6, constant(0)},
    {Key::sliding_window, "attention.sliding_window", Kind::integer, 0, kMaxContext, constant(0)},
    {Key::sliding_window_pattern, "attention.sliding_window_pattern", Kind::integer, 0, 1024, constant(0), kPerLayer},
    {Key::expert_count, "expert_count", Kind::integer, 0, kMaxExperts, constant(0)},
    {Key::expert_used_count, "expert_used_count", Kind::integer, 0, kMaxExperts, constant(0)},
    {Key::expert_feed_forward_length, "expert_feed_forward_length", Kind::integer, 0, kMaxFf, constant(0)},
    {Key::expert_shared_feed_forward_length, "expert_shared_feed_forward_length", Kind::integer, 0, kMaxFf,
     constant(0)},
    {Key::expert_shared_count, "expert_shared_count", Kind::integer, 0, kMaxExperts, constant(0)},
    {Key::expert_group_count, "expert_group_count", Kind::integer, 0, kMaxExperts, constant(0)},
    {Key::expert_group_used_count, "expert_group_used_count", Kind::integer, 0, kMaxExperts, constant(0)},
    {Key::leading_dense_blocks, "leading_dense_block_count", Kind::integer, 0, 1024, constant(0)},
    {Key::nextn_layers, "nextn_predict_layers", Kind::integer, 0, 1023, constant(0)},
    {Key::expert_gating, "expert_gating_func", Kind::integer, 0, 3, constant(0)},
    {Key::expert_weights_norm, "expert_weights_norm", Kind::flag, 0, 1, constant(1)},
    {Key::expert_weights_scale, "expert_weights_scale", Kind::real, 0, 1e6, constant(0)},
    {Key::rope_dimension_count, "rope.dimension_count", Kind::integer, 2, kMaxHeadDim, copy_of(Key::key_length)},
    {Key::rope_freq_base, "rope.freq_base", Kind::real, 1e-3, 1e30, constant(10000)},
    {Key::rope_freq_base_local, "rope.freq_base_swa", Kind::real, 1e-3, 1e30, copy_of(Key::rope_freq_base)},
    {Key::rope_scaling_type, "rope.scaling.type", Kind::choice, 0, kScalingTypes.size() - 1, constant(kScalingAbsent)},
    {Key::rope_scale_linear, "rope.scale_linear", Kind::real, 0, 1e6, constant(0)},
    {Key::rope_scaling_factor, "rope.scaling.factor", Kind::real, 0, 1e6, copy_of(Key::rope_scale_linear)},
    {Key::rope_original_context, "rope.scaling.original_context_length", Kind::integer, 1, kMaxContext,
     copy_of(Key::context_length)},
    {Key::rope_attn_factor, "rope.scaling.attn_factor", Kind::real, 1e-3, 1e3, constant(1)},
    {Key::yarn_ext_factor, "rope.scaling.yarn_ext_factor", Kind::real, 0, 1, constant(1)},
    {Key::yarn_attn_factor, "rope.scaling.yarn_attn_factor", Kind::real, 1e-3, 1e3, constant(1)},
    {Key::yarn_beta_fast, "rope.scaling.yarn_beta_fast", Kind::real, 1e-3, 1e6, constant(32)},
    {Key::yarn_beta_slow, "rope.scaling.yarn_beta_slow", Kind::real, 1e-3, 1e6, constant(1)},
    {Key::yarn_log_multiplier, "rope.scaling.yarn_log_multiplier", Kind::real, 0, 1e3, constant(0)},
};
static_assert(std::size(kTable) == arch::kKeys, "a key without a row");

const Row& row_of(Key key) {
  return *std::find_if(std::begin(kTable), std::end(kTable), [&](const Row& row) { return row.key == key; });
}

/// Values by key: one, or one per layer.
using Values = std::array<std::vector<double>, arch::kKeys>;
const std::vector<double>& at(const Values& values, Key key) { return values[static_cast<size_t>(key)]; }
double scalar(const Values& values, Key key) { return at(values, key).front(); }
double of_layer(const Values& values, Key key, size_t layer) {
  const std::vector<double>& v = at(values, key);
  return v.size() == 1 ? v.front() : v[layer];
}

/// Reads one row; `prefix` is "{architecture}.".
class Reader {
 public:
  Reader(const io::MetaTable& meta, const arch::ArchSpec& spec, std::string_view prefix)
      : meta_(meta), spec_(spec), prefix_(prefix) {}

  bool listed(Key key) const { return std::find(spec_.keys.begin(), spec_.keys.end(), key) != spec_.keys.end(); }
  /// Whether the file says it for each layer.
  bool per_layer(const Row& row) const {
    const io::MetaValue* const value = meta_.find(cat(prefix_, row.name));
    return listed(row.key) && row.per_layer && value != nullptr && is_array(*value);
  }

  /// The value of a key that the architecture or the file does not have.
  Status read_absent(const Row& row, Values& values) const {
    std::vector<double>& out = values[static_cast<size_t>(row.key)];
    const Default d = default_of(row);
    if (d.rule == Default::Rule::constant)
      out = {d.value};
    else if (d.rule == Default::Rule::copy)
      out = at(values, d.of);
    else if (d.rule == Default::Rule::quotient)
      return fill_quotient(d, cat(prefix_, row.name), values, out);
    else if (listed(row.key))
      return fail(Errc::format, where(cat(prefix_, row.name)), "missing");
    else
      return fail(Errc::internal, "an architecture without the key ", prefix_, row.name);
    return {};
  }

  Status read(const Row& row, Values& values) const {
    const std::string key = cat(prefix_, row.name);
    std::vector<double>& out = values[static_cast<size_t>(row.key)];
    if (!listed(row.key) || meta_.find(key) == nullptr) return read_absent(row, values);
    if (row.kind == Kind::choice) {
      QUERN_TRY(const double choice, read_choice(key));
      out = {choice};
      return {};
    }
    const bool array = per_layer(row);
    if (array) {
      QUERN_TRY(out, integers(key));
      const double n_layer = scalar(values, Key::block_count);
      QUERN_ENSURE(static_cast<double>(out.size()) == n_layer, Errc::format, where(key),
                   "expected one element for each of ", n_layer, " layers, found ", out.size());
    } else {
      QUERN_TRY(const double value, number(row.kind, key));
      out = {value};
    }
    for (size_t i = 0; i < out.size(); ++i) {
      const bool inside = out[i] >= row.min && out[i] <= row.max;  // false for NaN
      QUERN_ENSURE(inside, Errc::format, where(key), array ? cat("element ", i, ": ") : "", "expected ",
                   row.kind == Kind::integer ? "an integer" : "a number", " from ", row.min, " to ", row.max,
                   ", found ", out[i]);
    }
    return {};
  }

  std::string where(std::string_view key) const { return cat(meta_.file(), ": key ", io::quoted(key), ": "); }

 private:
  static bool is_array(const io::MetaValue& value) {
    return std::holds_alternative<std::vector<uint64_t>>(value) ||
           std::holds_alternative<std::vector<int64_t>>(value) || std::holds_alternative<std::vector<double>>(value) ||
           std::holds_alternative<std::vector<std::string>>(value);
  }

  Default default_of(const Row& row) const {
    for (const arch::KeyDefault& own : spec_.defaults) {
      if (own.key == row.key) return constant(own.value);
    }
    return row.otherwise;
  }

  Result<double> number(Kind kind, const std::string& key) const {
    if (kind == Kind::flag) {
      QUERN_TRY(const auto value, meta_.get_bool(key));
      return value.value_or(false) ? 1.0 : 0.0;
    }
    if (kind == Kind::integer) {
      QUERN_TRY(const auto value, meta_.get_uint(key));
      return static_cast<double>(value.value_or(0));
    }
    QUERN_TRY(const auto value, meta_.get_float(key));
    return value.value_or(0);
  }
  Result<std::vector<double>> integers(const std::string& key) const {
    QUERN_TRY(const auto value, meta_.get_ints(key));
    std::vector<double> out;
    if (value) out.assign(value->begin(), value->end());
    return out;
  }

  Result<double> read_choice(const std::string& key) const {
    QUERN_TRY(const std::string* const word, meta_.get_string(key));
    const auto found = std::find(kScalingTypes.begin(), kScalingTypes.end(), *word);
    QUERN_ENSURE(found != kScalingTypes.end(), Errc::format, where(key),
                 "expected none, linear, yarn or longrope, found ", io::quoted(*word));
    return static_cast<double>(found - kScalingTypes.begin());
  }

  Status fill_quotient(const Default& d, const std::string& key, const Values& values, std::vector<double>& out) const {
    const auto of = static_cast<uint64_t>(scalar(values, d.of)), by = static_cast<uint64_t>(scalar(values, d.by));
    QUERN_ENSURE(of % by == 0, Errc::format, where(key), "missing, and ", row_of(d.of).name, " = ", of,
                 " is no multiple of ", row_of(d.by).name, " = ", by);
    out = {static_cast<double>(of / by)};
    return {};
  }

  const io::MetaTable& meta_;
  const arch::ArchSpec& spec_;
  std::string_view prefix_;
};

Result<RopeParams> rope_params(const Values& values, const Reader& reader, std::string_view prefix) {
  RopeParams rope;
  rope.base = scalar(values, Key::rope_freq_base);
  rope.original_context = scalar(values, Key::rope_original_context);
  rope.attn_factor = scalar(values, Key::rope_attn_factor);
  const double type = scalar(values, Key::rope_scaling_type), factor = scalar(values, Key::rope_scaling_factor);
  // A factor of 0 stands for none; one without a type means linear scaling. LongRoPE scales by its divisors alone.
  QUERN_ENSURE(factor == 0 || factor >= 1e-3, Errc::format, reader.where(cat(prefix, "rope.scaling.factor")),
               "expected 0 or a number from 0.001 to 1e+06, found ", factor);
  if (factor == 0) return rope;
  if (type == kScalingLinear || type == kScalingAbsent) {
    rope.scaling = RopeScaling::linear;
    rope.factor = factor;
  } else if (type == kScalingYarn) {
    rope.scaling = RopeScaling::yarn;
    rope.factor = factor;
    rope.attn_factor *= scalar(values, Key::yarn_attn_factor);
    rope.ext_factor = scalar(values, Key::yarn_ext_factor);
    rope.beta_fast = scalar(values, Key::yarn_beta_fast);
    rope.beta_slow = scalar(values, Key::yarn_beta_slow);
    rope.log_multiplier = scalar(values, Key::yarn_log_multiplier);
  }
  return rope;
}

/// Whether `layer` is one that sees everything, or has no rotary embedding, where every so many layers one does.
bool last_of(uint32_t every, uint32_t layer) { return every > 0 && (layer + 1) % every == 0; }

std::vector<LayerParams> layer_params(const Values& values, const Reader& reader, const arch::ArchSpec& spec) {
  // The last layers may be there to predict further tokens: another mechanism, which is not used.
  const auto n_layer = static_cast<uint32_t>(scalar(values, Key::block_count) - scalar(values, Key::nextn_layers));
  const bool window = scalar(values, Key::sliding_window) > 0;
  const bool window_by_layer = reader.per_layer(row_of(Key::sliding_window_pattern));
  const bool local_rope = reader.listed(Key::rope_freq_base_local);
  uint32_t full_every = spec.full_layer_every;
  if (const auto every = static_cast<uint32_t>(scalar(values, Key::sliding_window_pattern)); every > 0)
    full_every = every;
  std::vector<LayerParams> out(n_layer);
  for (uint32_t i = 0; i < n_layer; ++i) {
    const auto whole = [&](Key key) { return static_cast<uint32_t>(of_layer(values, key, i)); };
    LayerParams& layer = out[i];
    layer.n_head = whole(Key::head_count);
    layer.n_head_kv = whole(Key::head_count_kv);
    layer.n_ff = whole(Key::feed_forward_length);
    layer.windowed = window && (window_by_layer ? whole(Key::sliding_window_pattern) != 0 : !last_of(full_every, i));
    layer.rope = last_of(spec.no_rope_every, i) ? LayerRope::none
                 : layer.windowed && local_rope ? LayerRope::local
                                                : LayerRope::global;
    layer.experts = scalar(values, Key::expert_count) > 0 && i >= scalar(values, Key::leading_dense_blocks);
  }
  return out;
}

Result<ExpertParams> expert_params(const Values& values, const Reader& reader, std::string_view prefix) {
  const auto whole = [&](Key key) { return static_cast<uint32_t>(scalar(values, key)); };
  ExpertParams experts;
  experts.n = whole(Key::expert_count);
  if (experts.n == 0) return experts;
  experts.n_used = whole(Key::expert_used_count);
  QUERN_ENSURE(experts.n_used >= 1 && experts.n_used <= experts.n, Errc::format,
               reader.where(cat(prefix, "expert_used_count")), "expected 1 to expert_count = ", experts.n, ", found ",
               experts.n_used);
  // Without a key of its own an expert has the length of the feed-forward block.
  experts.n_ff = whole(Key::expert_feed_forward_length);
  if (experts.n_ff == 0) experts.n_ff = whole(Key::feed_forward_length);
  experts.n_ff_shared = whole(Key::expert_shared_feed_forward_length);
  if (experts.n_ff_shared == 0) {
    const uint64_t shared = uint64_t{whole(Key::expert_shared_count)} * experts.n_ff;
    QUERN_ENSURE(shared <= kMaxFf, Errc::format, reader.where(cat(prefix, "expert_shared_count")),
                 "expected shared experts of at most ", kMaxFf, " elements together, found ", shared);
    experts.n_ff_shared = static_cast<uint32_t>(shared);
  }
  experts.n_groups = std::max(1u, whole(Key::expert_group_count));
  experts.n_groups_used = std::max(1u, whole(Key::expert_group_used_count));
  if (experts.n_groups == 1) experts.n_groups_used = 1;
  const uint32_t in_groups = experts.n / experts.n_groups * experts.n_groups_used;
  QUERN_ENSURE(
      experts.n % experts.n_groups == 0 && experts.n_groups_used <= experts.n_groups && experts.n_used <= in_groups,
      Errc::format, reader.where(cat(prefix, "expert_group_count")), "expected groups that ", experts.n_used, " of ",
      experts.n, " experts can be chosen from, found ", experts.n_groups, " groups of which ", experts.n_groups_used,
      " are used");
  if (const uint32_t gating = whole(Key::expert_gating); gating > 0) experts.gating = static_cast<arch::Gating>(gating);
  experts.normalize = scalar(values, Key::expert_weights_norm) != 0;
  if (const double scale = scalar(values, Key::expert_weights_scale); scale > 0)
    experts.scale = static_cast<float>(scale);
  return experts;
}

void set_scales(Hparams& hp, const Values& values, const arch::ArchSpec& spec) {
  const auto real = [&](Key key) { return scalar(values, key); };
  const auto given = [&](Key key, double otherwise) { return real(key) > 0 ? real(key) : otherwise; };
  const double width = hp.n_embd;
  const bool by_width = spec.embedding_scale == arch::EmbeddingScale::sqrt_width;
  hp.embedding_scale = static_cast<float>(given(Key::embedding_scale, by_width ? std::sqrt(width) : 1));
  hp.residual_scale = static_cast<float>(given(Key::residual_scale, 1));
  hp.logit_scale = static_cast<float>(1 / given(Key::logit_scale, 1));
  const bool scores_by_width = spec.scores_by_width_layers == hp.n_layer;
  const double length = scores_by_width         ? width / hp.layers[0].n_head
                        : hp.latent.kv_rank > 0 ? hp.latent.k_dim
                                                : hp.k_dim;
  hp.attention_scale = static_cast<float>(given(Key::attention_scale, 1 / std::sqrt(length)));
  hp.attention_temperature = real(Key::attention_temperature);
  hp.attention_softcap = static_cast<float>(real(Key::attention_softcap));
  hp.logit_softcap = static_cast<float>(real(Key::logit_softcap));
}

/// The constraints on latent attention.
Status check_latent(const Hparams& hp, const Reader& reader, std::string_view prefix) {
  const auto where = [&](const char* name) { return reader.where(cat(prefix, name)); };
  QUERN_ENSURE(hp.latent.kv_rank > 0, Errc::format, where("attention.kv_lora_rank"), "missing");
  QUERN_ENSURE(hp.n_rot < hp.latent.k_dim, Errc::format, where("attention.key_length_mla"),
               "expected more than rope.dimension_count = ", hp.n_rot, ", found ", hp.latent.k_dim);
  QUERN_ENSURE(hp.k_dim == hp.latent.kv_rank + hp.n_rot && hp.v_dim == hp.latent.kv_rank, Errc::unsupported,
               where("attention.key_length"),
               "expected kv_lora_rank + rope.dimension_count = ", hp.latent.kv_rank + hp.n_rot,
               " and a value_length of ", hp.latent.kv_rank, ", found ", hp.k_dim, " and ", hp.v_dim,
               ": files from before April 2025 keep keys and values in another way");
  for (const LayerParams& layer : hp.layers) {
    QUERN_ENSURE(layer.n_head == hp.layers[0].n_head, Errc::unsupported, where("attention.head_count"),
                 "expected the same number in all layers, found ", layer.n_head, " and ", hp.layers[0].n_head);
    QUERN_ENSURE(layer.n_head_kv == 1, Errc::unsupported, where("attention.head_count_kv"), "expected 1, found ",
                 layer.n_head_kv);
  }
  return {};
}

/// The constraints between keys.
Status check(const Hparams& hp, const Reader& reader, std::string_view prefix) {
  const auto where = [&](const char* name) { return reader.where(cat(prefix, name)); };
  for (size_t i = 0; i < hp.layers.size(); ++i) {
    const LayerParams& layer = hp.layers[i];
    QUERN_ENSURE(layer.n_head % layer.n_head_kv == 0, Errc::format, where("attention.head_count_kv"),
                 "expected a divisor of attention.head_count = ", layer.n_head, ", found ", layer.n_head_kv,
                 " in layer ", i);
  }
  QUERN_ENSURE(hp.n_rot % 2 == 0 && hp.n_rot <= hp.k_dim, Errc::format, where("rope.dimension_count"),
               "expected an even number up to the length of a head, ", hp.k_dim, ", found ", hp.n_rot);
  return hp.latent.k_dim > 0 ? check_latent(hp, reader, prefix) : Status{};
}

}  // namespace

Result<Hparams> read_hparams(const io::MetaTable& meta, const arch::ArchSpec& spec) {
  const std::string prefix = cat(spec.name, ".");
  const Reader reader(meta, spec, prefix);
  Values values;
  for (const Row& row : kTable) QUERN_CHECK(reader.read(row, values));
  const auto whole = [&](Key key) { return static_cast<uint32_t>(scalar(values, key)); };
  Hparams hp;
  hp.n_ctx_train = whole(Key::context_length);
  hp.n_embd = whole(Key::embedding_length);
  QUERN_ENSURE(scalar(values, Key::nextn_layers) < scalar(values, Key::block_count), Errc::format,
               reader.where(cat(prefix, "nextn_predict_layers")),
               "expected less than block_count = ", whole(Key::block_count), ", found ", whole(Key::nextn_layers));
  hp.n_layer = whole(Key::block_count) - whole(Key::nextn_layers);
  hp.vocab_size = whole(Key::vocab_size);
  hp.k_dim = whole(Key::key_length);
  hp.v_dim = whole(Key::value_length);
  hp.n_rot = whole(Key::rope_dimension_count);
  hp.sliding_window = whole(Key::sliding_window);
  hp.rms_eps = static_cast<float>(scalar(values, Key::rms_eps));
  hp.layers = layer_params(values, reader, spec);
  if (spec.attention == arch::Attention::latent) {
    hp.latent = {whole(Key::q_rank), whole(Key::kv_rank), whole(Key::key_length_full), whole(Key::value_length_full)};
  }
  QUERN_CHECK(check(hp, reader, prefix));
  QUERN_TRY(hp.experts, expert_params(values, reader, prefix));
  set_scales(hp, values, spec);
  QUERN_TRY(hp.rope, rope_params(values, reader, prefix));
  if (spec.yarn_scales_scores && hp.rope.scaling == RopeScaling::yarn && hp.rope.log_multiplier > 0) {
    const double growth = 1 + hp.rope.log_multiplier * std::log(hp.rope.factor);
    hp.attention_scale *= static_cast<float>(growth * growth);
    hp.rope.log_multiplier = 1;  // takes back what cosines and sines would grow by
  }
  hp.rope_local.base = scalar(values, Key::rope_freq_base_local);
  return hp;
}

uint64_t Hparams::dim(arch::Dim dim, uint32_t layer) const {
  using arch::Dim;
  const LayerParams& l = layers[layer];
  switch (dim) {
    case Dim::zero:
      return 0;
    case Dim::one:
      return 1;
    case Dim::embd:
      return n_embd;
    case Dim::heads:
      return l.n_head;
    case Dim::vocab:
      return n_vocab;
    case Dim::q:
      return uint64_t{l.n_head} * k_dim;
    case Dim::k:
      return uint64_t{l.n_head_kv} * k_dim;
    case Dim::v:
      return uint64_t{l.n_head_kv} * v_dim;
    case Dim::k_head:
      return k_dim;
    case Dim::q_k:
      return this->dim(Dim::q, layer) + this->dim(Dim::k, layer);
    case Dim::q_k_v:
      return this->dim(Dim::q_k, layer) + this->dim(Dim::v, layer);
    case Dim::q_rank:
      return latent.q_rank;
    case Dim::kv_rank:
      return latent.kv_rank;
    case Dim::kv_latent:
      return uint64_t{latent.kv_rank} + n_rot;
    case Dim::q_full:
      return uint64_t{l.n_head} * latent.k_dim;
    case Dim::k_plain:
      return latent.k_dim - n_rot;
    case Dim::v_full:
      return latent.v_dim;
    case Dim::attn_full:
      return uint64_t{l.n_head} * latent.v_dim;
    case Dim::attn:
      return uint64_t{l.n_head} * v_dim;
    case Dim::ff:
      return l.n_ff;
    case Dim::ff_twice:
      return uint64_t{2} * l.n_ff;
    case Dim::experts:
      return experts.n;
    case Dim::ff_expert:
      return experts.n_ff;
    case Dim::ff_expert_twice:
      return uint64_t{2} * experts.n_ff;
    case Dim::ff_shared:
      return experts.n_ff_shared;
    case Dim::half_rot:
      return n_rot / 2;
  }
  return 0;
}

uint64_t Hparams::max_dim(arch::Dim which) const {
  uint64_t out = 0;
  for (uint32_t i = 0; i < n_layer; ++i) out = std::max(out, dim(which, i));
  return out;
}

}  // namespace quern::model
