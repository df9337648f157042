// The table of hyper-parameters, and the checks that join them.
#include "lib/model/hparams.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "lib/io/names.h"

namespace quern::model {
namespace {

using arch::Key;

enum class Kind {
  integer,
  real,
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
constexpr double kMaxEmbd = 1 << 20, kMaxFf = 1 << 24, kMaxHeads = 1 << 14, kMaxHeadDim = 1 << 14;
constexpr bool kPerLayer = true;

constexpr Row kTable[] = {
    {Key::context_length, "context_length", Kind::integer, 1, kMaxContext, kRequired},
    {Key::embedding_length, "embedding_length", Kind::integer, 1, kMaxEmbd, kRequired},
    {Key::block_count, "block_count", Kind::integer, 1, 1024, kRequired},
    {Key::vocab_size, "vocab_size", Kind::integer, 1, 1 << 22, constant(0)},
    {Key::expert_count, "expert_count", Kind::integer, 0, 1024, constant(0)},
    {Key::head_count, "attention.head_count", Kind::integer, 1, kMaxHeads, kRequired, kPerLayer},
    {Key::head_count_kv, "attention.head_count_kv", Kind::integer, 1, kMaxHeads, copy_of(Key::head_count), kPerLayer},
    {Key::key_length, "attention.key_length", Kind::integer, 1, kMaxHeadDim,
     quotient(Key::embedding_length, Key::head_count)},
    {Key::value_length, "attention.value_length", Kind::integer, 1, kMaxHeadDim,
     quotient(Key::embedding_length, Key::head_count)},
    {Key::feed_forward_length, "feed_forward_length", Kind::integer, 1, kMaxFf, kRequired, kPerLayer},
    {Key::rms_eps, "attention.layer_norm_rms_epsilon", Kind::real, 1e-30, 1, kRequired},
    {Key::sliding_window, "attention.sliding_window", Kind::integer, 0, kMaxContext, constant(0)},
    {Key::rope_dimension_count, "rope.dimension_count", Kind::integer, 2, kMaxHeadDim, copy_of(Key::key_length)},
    {Key::rope_freq_base, "rope.freq_base", Kind::real, 1e-3, 1e30, constant(10000)},
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
};
static_assert(std::size(kTable) == arch::kKeys, "a key without a row");

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
  Reader(const io::MetaTable& meta, std::string_view prefix) : meta_(meta), prefix_(prefix) {}

  /// The value of a key that the architecture does not have: as if the file did not hold it.
  Status read_absent(const Row& row, Values& values) const {
    std::vector<double>& out = values[static_cast<size_t>(row.key)];
    const Default& d = row.otherwise;
    if (d.rule == Default::Rule::constant)
      out = {d.value};
    else if (d.rule == Default::Rule::copy)
      out = at(values, d.of);
    else if (d.rule == Default::Rule::quotient)
      return fill_quotient(row, cat(prefix_, row.name), values, out);
    else
      return fail(Errc::internal, "an architecture without the key ", prefix_, row.name);
    return {};
  }

  Status read(const Row& row, Values& values) const {
    const std::string key = cat(prefix_, row.name);
    std::vector<double>& out = values[static_cast<size_t>(row.key)];
    if (meta_.find(key) == nullptr) {
      QUERN_ENSURE(row.otherwise.rule != Default::Rule::required, Errc::format, where(key), "missing");
      return read_absent(row, values);
    }
    if (row.kind == Kind::choice) {
      QUERN_TRY(const double choice, read_choice(key));
      out = {choice};
      return {};
    }
    const bool array = row.per_layer && is_array(*meta_.find(key));
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

  Result<double> number(Kind kind, const std::string& key) const {
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

  Status fill_quotient(const Row& row, const std::string& key, const Values& values, std::vector<double>& out) const {
    const Default& d = row.otherwise;
    const auto of = static_cast<uint64_t>(scalar(values, d.of)), by = static_cast<uint64_t>(scalar(values, d.by));
    QUERN_ENSURE(of % by == 0, Errc::format, where(key), "missing, and ", name_of(d.of), " = ", of,
                 " is no multiple of ", name_of(d.by), " = ", by);
    out = {static_cast<double>(of / by)};
    return {};
  }

  static const char* name_of(Key key) {
    return std::find_if(std::begin(kTable), std::end(kTable), [&](const Row& row) { return row.key == key; })->name;
  }

  const io::MetaTable& meta_;
  std::string_view prefix_;
};

Result<RopeParams> rope_params(const Values& values, const Reader& reader, std::string_view prefix) {
  RopeParams rope;
  rope.base = scalar(values, Key::rope_freq_base);
  rope.original_context = scalar(values, Key::rope_original_context);
  rope.attn_factor = scalar(values, Key::rope_attn_factor);
  const double type = scalar(values, Key::rope_scaling_type), factor = scalar(values, Key::rope_scaling_factor);
  QUERN_ENSURE(type != kScalingLongrope, Errc::unsupported, reader.where(cat(prefix, "rope.scaling.type")),
               "'longrope' is not supported");
  // A factor of 0 stands for none; one without a type means linear scaling.
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
  }
  return rope;
}

/// The constraints between keys.
Status check(const Hparams& hp, const Values& values, const Reader& reader, std::string_view prefix) {
  const auto where = [&](const char* name) { return reader.where(cat(prefix, name)); };
  QUERN_ENSURE(scalar(values, Key::expert_count) == 0, Errc::unsupported, where("expert_count"),
               "mixtures of experts are not supported, found ", scalar(values, Key::expert_count), " experts");
  for (size_t i = 0; i < hp.layers.size(); ++i) {
    const LayerParams& layer = hp.layers[i];
    QUERN_ENSURE(layer.n_head % layer.n_head_kv == 0, Errc::format, where("attention.head_count_kv"),
                 "expected a divisor of attention.head_count = ", layer.n_head, ", found ", layer.n_head_kv,
                 " in layer ", i);
  }
  QUERN_ENSURE(hp.n_rot % 2 == 0 && hp.n_rot <= hp.k_dim, Errc::format, where("rope.dimension_count"),
               "expected an even number up to the length of a head, ", hp.k_dim, ", found ", hp.n_rot);
  return {};
}

}  // namespace

Result<Hparams> read_hparams(const io::MetaTable& meta, const arch::ArchSpec& spec) {
  const std::string prefix = cat(spec.name, ".");
  const Reader reader(meta, prefix);
  Values values;
  for (const Row& row : kTable) {
    const bool listed = std::find(spec.keys.begin(), spec.keys.end(), row.key) != spec.keys.end();
    QUERN_CHECK(listed ? reader.read(row, values) : reader.read_absent(row, values));
  }
  const auto whole = [&](Key key) { return static_cast<uint32_t>(scalar(values, key)); };
  Hparams hp;
  hp.n_ctx_train = whole(Key::context_length);
  hp.n_embd = whole(Key::embedding_length);
  hp.n_layer = whole(Key::block_count);
  hp.vocab_size = whole(Key::vocab_size);
  hp.k_dim = whole(Key::key_length);
  hp.v_dim = whole(Key::value_length);
  hp.n_rot = whole(Key::rope_dimension_count);
  hp.sliding_window = whole(Key::sliding_window);
  hp.rms_eps = static_cast<float>(scalar(values, Key::rms_eps));
  hp.layers.resize(hp.n_layer);
  for (uint32_t i = 0; i < hp.n_layer; ++i) {
    hp.layers[i] = {static_cast<uint32_t>(of_layer(values, Key::head_count, i)),
                    static_cast<uint32_t>(of_layer(values, Key::head_count_kv, i)),
                    static_cast<uint32_t>(of_layer(values, Key::feed_forward_length, i))};
  }
  QUERN_CHECK(check(hp, values, reader, prefix));
  QUERN_TRY(hp.rope, rope_params(values, reader, prefix));
  return hp;
}

uint64_t Hparams::dim(arch::Dim dim, uint32_t layer) const {
  using arch::Dim;
  const LayerParams& l = layers[layer];
  switch (dim) {
    case Dim::one:
      return 1;
    case Dim::embd:
      return n_embd;
    case Dim::vocab:
      return n_vocab;
    case Dim::q:
      return uint64_t{l.n_head} * k_dim;
    case Dim::k:
      return uint64_t{l.n_head_kv} * k_dim;
    case Dim::v:
      return uint64_t{l.n_head_kv} * v_dim;
    case Dim::attn:
      return uint64_t{l.n_head} * v_dim;
    case Dim::ff:
      return l.n_ff;
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
