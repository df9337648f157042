#include "lib/model/key_table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <variant>

#include "lib/io/names.h"

namespace quern::model {
namespace {

using arch::Key;

enum class Kind {
  integer,
  real,
  flag,    ///< 0 or 1
  choice,  ///< one of Row::words; its value is the word's index
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
  uint32_t count = 1;      ///< more than 1: an array of so many integers
  std::span<const std::string_view> words = {};
};

constexpr std::array<std::string_view, 5> kActivations = {"gelu", "geglu", "silu", "swish", "swiglu"};
static_assert(kActivations[static_cast<size_t>(kActivationSilu)] == "silu");
constexpr std::array<std::string_view, 4> kScalingTypes = {"none", "linear", "yarn", "longrope"};
static_assert(kScalingTypes[static_cast<size_t>(kScalingLinear)] == "linear" &&
              kScalingTypes[static_cast<size_t>(kScalingYarn)] == "yarn");

constexpr double kMaxContext = 2147483647;  // positions are int32
constexpr double kMaxEmbd = 1 << 20, kMaxHeads = 1 << 14, kMaxHeadDim = 1 << 14, kMaxExperts = 1024;
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
    {Key::key_length_local, "attention.key_length_swa", Kind::integer, 1, kMaxHeadDim, copy_of(Key::key_length)},
    {Key::value_length_local, "attention.value_length_swa", Kind::integer, 1, kMaxHeadDim, copy_of(Key::value_length)},
    {Key::q_rank, "attention.q_lora_rank", Kind::integer, 0, kMaxEmbd, constant(0)},
    {Key::kv_rank, "attention.kv_lora_rank", Kind::integer, 1, kMaxHeadDim, constant(0)},
    {Key::feed_forward_length, "feed_forward_length", Kind::integer, 1, kMaxFf, kRequired, kPerLayer},
    {Key::rms_eps, "attention.layer_norm_rms_epsilon", Kind::real, 1e-30, 1, constant(0)},
    {Key::layer_norm_eps, "attention.layer_norm_epsilon", Kind::real, 1e-30, 1, constant(0)},
    {Key::activation, "hidden_activation", Kind::choice, 0, 0, constant(kActivationAbsent), false, 1, kActivations},
    {Key::causal, "attention.causal", Kind::flag, 0, 1, constant(1)},
    {Key::pooling, "pooling_type", Kind::integer, 0, UINT32_MAX, constant(0)},
    {Key::dense_2_out, "dense_2_feat_out", Kind::integer, 1, kMaxEmbd, copy_of(Key::embedding_length)},
    {Key::dense_3_in, "dense_3_feat_in", Kind::integer, 1, kMaxEmbd, copy_of(Key::embedding_length)},
    {Key::attention_scale, "attention.scale", Kind::real, 0, 1e6, constant(0)},
    {Key::attention_temperature, "attention.temperature_scale", Kind::real, 0, 1e3, constant(0)},
    {Key::attention_softcap, "attn_logit_softcapping", Kind::real, 0, 1e6, constant(0)},
    {Key::logit_softcap, "final_logit_softcapping", Kind::real, 0, 1e6, constant(0)},
    {Key::sliding_window, "attention.sliding_window", Kind::integer, 0, kMaxContext, constant(0)},
    {Key::sliding_window_pattern, "attention.sliding_window_pattern", Kind::integer, 0, 1024, constant(0), kPerLayer},
    {Key::shared_kv_layers, "attention.shared_kv_layers", Kind::integer, 0, 1023, constant(0)},
    {Key::layer_input_length, "embedding_length_per_layer_input", Kind::integer, 0, kMaxHeadDim, constant(0)},
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
    {Key::rope_dimension_count_local, "rope.dimension_count_swa", Kind::integer, 2, kMaxHeadDim,
     copy_of(Key::rope_dimension_count)},
    {Key::rope_freq_base, "rope.freq_base", Kind::real, 1e-3, 1e30, constant(10000)},
    {Key::rope_freq_base_local, "rope.freq_base_swa", Kind::real, 1e-3, 1e30, copy_of(Key::rope_freq_base)},
    {Key::rope_scaling_type, "rope.scaling.type", Kind::choice, 0, 0, constant(kScalingAbsent), false, 1,
     kScalingTypes},
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
    {Key::rope_sections, "rope.dimension_sections", Kind::integer, 0, kMaxHeadDim, constant(0), false, kRopeAxes},
    {Key::full_attention_interval, "full_attention_interval", Kind::integer, 1, 1024, constant(1)},
    {Key::recurrent_layers, "attention.recurrent_layers", Kind::integer, 0, 1, constant(0), kPerLayer},
    {Key::conv_kernel, "ssm.conv_kernel", Kind::integer, 1, 256, constant(0)},
    {Key::state_size, "ssm.state_size", Kind::integer, 1, kMaxHeadDim, constant(0)},
    {Key::inner_size, "ssm.inner_size", Kind::integer, 1, kMaxEmbd, constant(0)},
    {Key::time_step_rank, "ssm.time_step_rank", Kind::integer, 1, kMaxHeads, constant(0)},
    {Key::group_count, "ssm.group_count", Kind::integer, 1, kMaxHeads, constant(0)},
};
static_assert(std::size(kTable) == arch::kKeys, "a key without a row");

const Row& row_of(Key key) {
  return *std::find_if(std::begin(kTable), std::end(kTable), [&](const Row& row) { return row.key == key; });
}

bool is_array(const io::MetaValue& value) {
  return std::holds_alternative<std::vector<uint64_t>>(value) || std::holds_alternative<std::vector<int64_t>>(value) ||
         std::holds_alternative<std::vector<double>>(value) || std::holds_alternative<std::vector<std::string>>(value);
}

}  // namespace

/// What reading one row needs: the file, the architecture, the row and its whole name.
class KeyReader::One {
 public:
  One(const KeyReader& reader, const Row& row)
      : reader_(reader), meta_(reader.meta_), row_(row), name_(cat(reader.prefix_, row.name)) {}

  Status read(KeyValues& values) const {
    std::vector<double>& out = values.all(row_.key);
    if (!reader_.listed(row_.key) || meta_.find(name_) == nullptr) return read_absent(values);
    if (row_.kind == Kind::choice) {
      QUERN_TRY(const double choice, read_choice());
      out = {choice};
      return {};
    }
    const bool layers = reader_.per_layer(row_.key), array = layers || row_.count > 1;
    if (array) {
      QUERN_TRY(out, integers());
      const double expected = layers ? values.scalar(Key::block_count) : row_.count;
      QUERN_ENSURE(static_cast<double>(out.size()) == expected, Errc::format, where(), "expected ",
                   layers ? "one element for each of " : "", expected, layers ? " layers" : " elements", ", found ",
                   out.size());
    } else {
      QUERN_TRY(const double value, number());
      out = {value};
    }
    for (size_t i = 0; i < out.size(); ++i) {
      const bool inside = out[i] >= row_.min && out[i] <= row_.max;  // false for NaN
      QUERN_ENSURE(inside, Errc::format, where(), array ? cat("element ", i, ": ") : "", "expected ",
                   row_.kind == Kind::integer ? "an integer" : "a number", " from ", row_.min, " to ", row_.max,
                   ", found ", out[i]);
    }
    return {};
  }

 private:
  std::string where() const { return reader_.where(row_.key); }

  /// The value of a key that the architecture or the file does not have.
  Status read_absent(KeyValues& values) const {
    std::vector<double>& out = values.all(row_.key);
    const Default d = default_value();
    if (d.rule == Default::Rule::constant)
      out = {d.value};
    else if (d.rule == Default::Rule::copy)
      out = values.all(d.of);
    else if (d.rule == Default::Rule::quotient)
      return fill_quotient(d, values, out);
    else if (reader_.listed(row_.key))
      return fail(Errc::format, where(), "missing");
    else
      return fail(Errc::internal, "an architecture without the key ", name_);
    return {};
  }

  Default default_value() const {
    for (const arch::KeyDefault& own : reader_.spec_.defaults) {
      if (own.key == row_.key) return constant(own.value);
    }
    return row_.otherwise;
  }

  Result<double> number() const {
    if (row_.kind == Kind::flag) {
      QUERN_TRY(const auto value, meta_.get_bool(name_));
      return value.value_or(false) ? 1.0 : 0.0;
    }
    if (row_.kind == Kind::integer) {
      QUERN_TRY(const auto value, meta_.get_uint(name_));
      return static_cast<double>(value.value_or(0));
    }
    QUERN_TRY(const auto value, meta_.get_float(name_));
    return value.value_or(0);
  }
  Result<std::vector<double>> integers() const {
    QUERN_TRY(const auto value, meta_.get_ints(name_));
    std::vector<double> out;
    if (value) out.assign(value->begin(), value->end());
    return out;
  }

  Result<double> read_choice() const {
    QUERN_TRY(const std::string* const word, meta_.get_string(name_));
    const auto found = std::find(row_.words.begin(), row_.words.end(), *word);
    if (found != row_.words.end()) return static_cast<double>(found - row_.words.begin());
    std::string list;
    for (size_t i = 0; i < row_.words.size(); ++i)
      list += cat(i == 0 ? "" : i + 1 < row_.words.size() ? ", " : " or ", row_.words[i]);
    return fail(Errc::format, where(), "expected ", list, ", found ", io::quoted(*word));
  }

  Status fill_quotient(const Default& d, const KeyValues& values, std::vector<double>& out) const {
    const auto of = static_cast<uint64_t>(values.scalar(d.of)), by = static_cast<uint64_t>(values.scalar(d.by));
    QUERN_ENSURE(of % by == 0, Errc::format, where(), "missing, and ", row_of(d.of).name, " = ", of,
                 " is no multiple of ", row_of(d.by).name, " = ", by);
    out = {static_cast<double>(of / by)};
    return {};
  }

  const KeyReader& reader_;
  const io::MetaTable& meta_;
  const Row& row_;
  std::string name_;
};

KeyReader::KeyReader(const io::MetaTable& meta, const arch::ArchSpec& spec)
    : meta_(meta), spec_(spec), prefix_(cat(spec.name, ".")) {}

Result<KeyValues> KeyReader::read() const {
  KeyValues values;
  for (const Row& row : kTable) QUERN_CHECK(One(*this, row).read(values));
  return values;
}

bool KeyReader::listed(Key key) const {
  return std::find(spec_.keys.begin(), spec_.keys.end(), key) != spec_.keys.end();
}

bool KeyReader::given(Key key) const { return listed(key) && meta_.find(cat(prefix_, row_of(key).name)) != nullptr; }

bool KeyReader::per_layer(Key key) const {
  const io::MetaValue* const value = meta_.find(cat(prefix_, row_of(key).name));
  return listed(key) && row_of(key).per_layer && value != nullptr && is_array(*value);
}

std::string KeyReader::where(Key key) const {
  return cat(meta_.file(), ": key ", io::quoted(cat(prefix_, row_of(key).name)), ": ");
}

}  // namespace quern::model
