#include "lib/hf/config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>

#include "lib/hf/fields.h"
#include "lib/hf/rope.h"
#include "lib/io/gguf.h"
#include "lib/io/names.h"

namespace quern::hf {
namespace {

using arch::HfKey;
using arch::HfMake;
using arch::HfType;
using io::JsonAt;
using io::ValueType;

constexpr double kMaxInteger = 4294967295;  // keys are 32 bits wide
constexpr size_t kMaxLayers = 4096;

/// Steps from one word to the other: letters changed, put in or taken out.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] != b[j] ? 1u : 0u)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// "'Qwen2ForCausalLM', 'Qwen3ForCausalLM'": the classes that come nearest.
std::string near(std::string_view name) {
  constexpr size_t kShown = 3, kMaxLength = 100;
  std::vector<std::pair<size_t, std::string_view>> all;
  for (const arch::HfArch* table : arch::hf_classes()) {
    for (const std::string_view known : pieces(table->classes, '|'))
      all.emplace_back(distance(name.substr(0, kMaxLength), known), known);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  std::string out;
  for (size_t i = 0; i < std::min(kShown, all.size()); ++i) out += cat(i > 0 ? ", " : "", io::quoted(all[i].second));
  return out;
}

/// Makes the keys of one model.
class KeyMaker {
 public:
  KeyMaker(const Fields& fields, const arch::HfArch& table)
      : fields_(fields), table_(table), meta_(std::string(fields.file())) {}

  /// Nothing happens where an earlier row made the key.
  Status add(const HfKey& key) {
    if (meta_.find(whole_name(key.name)) != nullptr) return {};
    for (const Row& row : kRows) {
      if (row.make == key.make) return (this->*row.add)(key);
    }
    return fail(Errc::internal, "a key that nothing makes");
  }
  Status put(std::string_view name, io::MetaValue value, ValueType type) {
    return meta_.add({whole_name(name), std::move(value), static_cast<uint32_t>(type)});
  }
  const io::MetaTable& meta() const { return meta_; }
  io::MetaTable take() { return std::move(meta_); }

 private:
  std::string whole_name(std::string_view name) const {
    const bool whole = name.starts_with("general.") || name.starts_with("tokenizer.");
    return whole ? std::string(name) : cat(table_.spec->name, ".", name);
  }
  Status missing(const HfKey& key) const {
    QUERN_ENSURE(!key.needed, Errc::format, fields_.at(pieces(key.from, '|').front()).place(),
                 ": missing, but the model needs it");
    return {};
  }
  Error out_of_range(const HfKey& key, double value) const {
    return fail(Errc::format, fields_.first(key.from).place(), ": expected an integer from 0 to ", kMaxInteger, " for ",
                io::quoted(key.name), ", found ", value);
  }

  Status put_number(const HfKey& key, double value) {
    if (key.type == HfType::flag) return put(key.name, value != 0, ValueType::boolean);
    if (key.type == HfType::real) return put(key.name, static_cast<double>(static_cast<float>(value)), ValueType::f32);
    const double whole = std::round(value);  // a product with 0.1 may miss its integer by a little
    if (!(whole >= 0 && whole <= kMaxInteger && std::abs(value - whole) < 1e-3)) return out_of_range(key, value);
    return put(key.name, static_cast<uint64_t>(whole), ValueType::u32);
  }
  Status put_layers(const HfKey& key, const std::vector<double>& values) {
    std::vector<uint64_t> out;
    for (const double value : values) {
      if (!(value >= 0 && value <= kMaxInteger)) return out_of_range(key, value);
      out.push_back(static_cast<uint64_t>(value));
    }
    if (key.type == HfType::flag) return put(key.name, std::move(out), ValueType::boolean);
    return put(key.name, std::vector<int64_t>(out.begin(), out.end()), ValueType::i32);
  }

  Status add_value(const HfKey& key) {
    const JsonAt field = fields_.first(key.from);
    if (key.type == HfType::text) {
      QUERN_TRY(const std::string* const text, field.text());
      return text != nullptr ? put(key.name, *text, ValueType::string) : missing(key);
    }
    if (field.get<io::Json::Array>() != nullptr) {
      QUERN_TRY(const auto values, numbers(field));
      return put_layers(key, values);
    }
    QUERN_TRY(const auto value, fields_.number(key.from));
    return value ? put_number(key, *value) : missing(key);
  }

  Result<std::vector<double>> numbers(const JsonAt& field) const {
    std::vector<double> out;
    for (size_t i = 0; i < field.size(); ++i) {
      QUERN_TRY(const auto number, field[i].integer());
      if (!number) return field[i].mismatch("an integer");
      out.push_back(static_cast<double>(*number));
    }
    return out;
  }

  /// The number that a text stands for.
  Result<double> number_of(const HfKey& key, const JsonAt& field) const {
    std::string known;
    for (const std::string_view word : pieces(key.words, '|')) {
      const auto parts = pieces(word, '=');
      double number = 0;
      std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), number);
      if (field.is(parts[0])) return number;
      known += cat(known.empty() ? "" : " or ", io::quoted(parts[0]));
    }
    return field.mismatch(known);
  }

  Status add_words(const HfKey& key) {
    const JsonAt field = fields_.first(key.from);
    if (!field.present()) return missing(key);
    QUERN_TRY(const double number, number_of(key, field));
    return put_number(key, number);
  }

  Status add_layer_words(const HfKey& key) {
    const JsonAt field = fields_.first(key.from);
    QUERN_TRY(const auto* const elements, field.array());
    if (elements == nullptr) return missing(key);
    std::vector<double> out;
    for (size_t i = 0; i < elements->size(); ++i) {
      QUERN_TRY(const double number, number_of(key, field[i]));
      out.push_back(number);
    }
    return put_layers(key, out);
  }

  Status add_by_window(const HfKey& key) {
    QUERN_TRY(const auto windowed, fields_.number(key.from));
    QUERN_TRY(const auto full, fields_.number(key.words));
    const JsonAt types = fields_.at("layer_types");
    if (!windowed || !full || !types.present()) return windowed ? put_number(key, *windowed) : missing(key);
    std::vector<double> out;
    for (size_t i = 0; i < types.size(); ++i) out.push_back(types[i].is("sliding_attention") ? *windowed : *full);
    return put_layers(key, out);
  }

  Status add_twice_shared(const HfKey& key) {
    QUERN_TRY(const auto shared, fields_.number(key.words));
    QUERN_TRY(const auto twice, fields_.number("use_double_wide_mlp"));
    if (!shared || !twice || *twice == 0) return add_value(key);
    QUERN_TRY(const auto value, fields_.number(key.from));
    QUERN_TRY(const auto layers, fields_.number("num_hidden_layers"));
    if (!value || !layers) return missing(key);
    if (!(*layers >= 0 && *layers <= kMaxLayers)) return out_of_range(key, *layers);
    std::vector<double> out(static_cast<size_t>(*layers), *value);
    for (size_t i = 0; i < out.size(); ++i) out[i] *= static_cast<double>(i) + *shared >= *layers ? 2 : 1;
    return put_layers(key, out);
  }

  Status add_sections(const HfKey& key) {
    constexpr size_t kAxes = 4;
    const JsonAt field = fields_.first(key.from);
    QUERN_TRY(const auto* const elements, field.array());
    if (elements == nullptr) return missing(key);
    QUERN_TRY(std::vector<double> values, numbers(field));
    if (values.size() > kAxes) return field.mismatch("up to four integers");
    values.resize(kAxes);
    return put_layers(key, values);
  }

  /// sentence-transformers has a flag for each way of pooling, of which one is set.
  Status add_pooling(const HfKey& key) {
    constexpr std::string_view kFlags[] = {"pooling_mode_mean_tokens", "pooling_mode_cls_token",
                                           "pooling_mode_lasttoken"};
    constexpr std::string_view kModes[] = {"mean", "cls", "lasttoken"};
    const JsonAt settings = fields_.at("sentence.pooling");
    if (!settings.present()) return missing(key);
    for (uint64_t i = 0; i < std::size(kFlags); ++i) {
      QUERN_TRY(const auto flag, settings[kFlags[i]].boolean());
      if (flag.value_or(false) || settings["pooling_mode"].is(kModes[i])) return put(key.name, i + 1, ValueType::u32);
    }
    return fail(Errc::unsupported, settings.place(), ": expected pooling by mean, first or last token");
  }

  struct Row {
    HfMake make;
    Status (KeyMaker::*add)(const HfKey&);
  };
  static const Row kRows[7];

  const Fields& fields_;
  const arch::HfArch& table_;
  io::MetaTable meta_;
};

const KeyMaker::Row KeyMaker::kRows[7] = {
    {HfMake::value, &KeyMaker::add_value},
    {HfMake::words, &KeyMaker::add_words},
    {HfMake::layer_words, &KeyMaker::add_layer_words},
    {HfMake::by_window, &KeyMaker::add_by_window},
    {HfMake::twice_shared, &KeyMaker::add_twice_shared},
    {HfMake::sections, &KeyMaker::add_sections},
    {HfMake::pooling, &KeyMaker::add_pooling},
};

/// A value as arch::HfCheck writes it.
std::string spelled(const JsonAt& field) {
  if (!field.present()) return "null";
  if (const auto* text = field.get<std::string>()) return *text;
  if (const auto* flag = field.get<bool>()) return *flag ? "true" : "false";
  if (const auto* integer = field.get<int64_t>()) return cat(*integer);
  if (const auto* real = field.get<double>()) return cat(*real);
  if (field.size() == 0) return "[]";
  return field.value()->describe();
}

Status check(const Fields& fields, const arch::HfCheck& rule) {
  const JsonAt field = fields.at(rule.field);
  if (!field.present()) return {};
  const std::string found = spelled(field);
  std::string expected;
  for (const std::string_view value : pieces(rule.values, '|')) {
    if (found == value) return {};
    if (value.starts_with('=')) {
      QUERN_TRY(const auto own, fields.number(rule.field));
      QUERN_TRY(const auto other, fields.number(value.substr(1)));
      if (!own || !other || std::abs(*own - *other) <= 1e-6 * std::abs(*other)) return {};
      expected += cat(expected.empty() ? "" : " or ", value.substr(1), " = ", *other);
      continue;
    }
    expected += cat(expected.empty() ? "" : " or ", value);
  }
  return fail(Errc::unsupported, field.place(), ": expected ", expected, " (others are not supported), found ",
              field.value()->describe());
}

/// What to call the model: as its config does, or as its folder is called.
std::string name_of(const Checkpoint& checkpoint) {
  std::error_code error;
  const auto* text = checkpoint.config_at()["_name_or_path"].get<std::string>();
  std::filesystem::path path = text != nullptr ? *text : std::string();
  if (!path.has_filename()) path = path.parent_path();
  if (path.filename().empty() || path.filename() == "." || path.filename() == "..")
    path = std::filesystem::weakly_canonical(checkpoint.path, error);
  std::string name = path.filename().string();
  return io::is_utf8(name) && !name.empty() ? name : "model";
}

}  // namespace

Result<const arch::HfArch*> find_class(const Checkpoint& checkpoint) {
  const JsonAt config = checkpoint.config_at();
  QUERN_TRY(const auto* const classes, config["architectures"].need_array());
  QUERN_ENSURE(!classes->empty(), Errc::format, config["architectures"].place(), ": expected a class, found none");
  QUERN_TRY(const std::string_view name, config["architectures"][size_t{0}].need_text());
  const Fields fields(config);
  const arch::HfArch* found = nullptr;
  for (const arch::HfArch* table : arch::hf_classes()) {
    const auto classes_of = pieces(table->classes, '|');
    if (std::find(classes_of.begin(), classes_of.end(), name) == classes_of.end()) continue;
    const std::string_view field = table->where.field;
    if (!field.empty() && fields.at(field).is(table->where.values)) return table;
    if (field.empty()) found = table;
  }
  QUERN_ENSURE(found != nullptr, Errc::unsupported, config["architectures"].place(), ": the class ", io::quoted(name),
               " is not supported; these come near: ", near(name));
  return found;
}

Result<io::MetaTable> read_config(const Checkpoint& checkpoint, const arch::HfArch& table) {
  const Fields fields(checkpoint.config_at());
  for (const arch::HfCheck& rule : table.checks) QUERN_CHECK(check(fields, rule));
  KeyMaker maker(fields, table);
  QUERN_CHECK(maker.put("general.architecture", std::string(table.spec->name), ValueType::string));
  QUERN_CHECK(maker.put("general.type", std::string("model"), ValueType::string));
  QUERN_CHECK(maker.put("general.name", name_of(checkpoint), ValueType::string));
  for (const HfKey& key : table.keys) QUERN_CHECK(maker.add(key));
  QUERN_TRY(const std::vector<RopeKey> keys, rope_keys(fields, table));
  for (const RopeKey& key : keys)
    QUERN_CHECK(maker.put(key.name, key.value,
                          std::holds_alternative<std::string>(key.value) ? ValueType::string
                          : std::holds_alternative<uint64_t>(key.value)  ? ValueType::u32
                                                                         : ValueType::f32));
  return maker.take();
}

}  // namespace quern::hf
