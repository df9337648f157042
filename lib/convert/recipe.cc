#include "lib/convert/recipe.h"

#include <algorithm>
#include <array>
#include <utility>

#include "lib/convert/recipe_table.h"
#include "lib/convert/tensor_names.h"
#include "lib/io/names.h"
#include "lib/quant/format.h"
#include "lib/text/regex.h"

namespace quern::convert {
namespace {

constexpr std::string_view kOutput = "output.weight", kTokenEmbd = "token_embd.weight";
constexpr uint32_t kF16 = 1;

bool same_text(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

/// Whether `name` is among the names between blanks, or these are "*".
bool names(std::string_view list, std::string_view name) {
  if (list == "*") return true;
  for (size_t begin = 0; begin < list.size();) {
    const size_t end = std::min(list.find(' ', begin), list.size());
    if (list.substr(begin, end - begin) == name) return true;
    begin = end + 1;
  }
  return false;
}

bool is_eligible(const io::TensorEntry& tensor) {
  if (tensor.view.shape.rank < 2 || !tensor.name.ends_with("weight")) return false;
  const auto spans = never_quantized();
  return std::none_of(spans.begin(), spans.end(),
                      [&](std::string_view text) { return tensor.name.find(text) != std::string::npos; });
}

Part part_of(std::string_view name, bool has_output) {
  if (!has_output && name == kTokenEmbd) return Part::output;
  for (const PartName& row : part_table()) {
    if (row.whole ? name == row.text : name.find(row.text) != std::string_view::npos) return row.part;
  }
  return Part::other;
}

/// A number of the architecture; of the first layer, where it differs between layers.
Result<std::optional<uint32_t>> arch_number(const io::MetaTable& meta, std::string_view arch, const char* name) {
  const std::string key = cat(arch, ".", name);
  const io::MetaValue* value = meta.find(key);
  if (value == nullptr) return std::optional<uint32_t>();
  std::optional<int64_t> number;
  if (std::holds_alternative<std::vector<uint64_t>>(*value) || std::holds_alternative<std::vector<int64_t>>(*value)) {
    QUERN_TRY(const auto list, meta.get_ints(key));
    if (list && !list->empty()) number = list->front();
  } else {
    QUERN_TRY(number, meta.get_int(key));
  }
  QUERN_ENSURE(number && *number >= 0 && *number <= INT32_MAX, Errc::format, meta.file(), ": key ", io::quoted(key),
               ": expected a number from 0 to ", INT32_MAX, number ? cat(", found ", *number) : "");
  return std::optional(static_cast<uint32_t>(*number));
}

/// What the rules ask about the model as a whole; the rest of the facts is as it starts.
Result<Facts> model_facts(const io::ModelFile& file) {
  Facts facts;
  QUERN_TRY(const std::string* const arch, file.meta.get_string("general.architecture"));
  if (arch == nullptr) return facts;
  QUERN_TRY(const auto layers, arch_number(file.meta, *arch, "block_count"));
  QUERN_TRY(const auto heads, arch_number(file.meta, *arch, "attention.head_count"));
  QUERN_TRY(const auto kv_heads, arch_number(file.meta, *arch, "attention.head_count_kv"));
  QUERN_TRY(const auto experts, arch_number(file.meta, *arch, "expert_count"));
  const uint32_t n_head = heads.value_or(0), n_head_kv = kv_heads.value_or(n_head);
  facts.n_layer = layers.value_or(0);
  facts.n_expert = experts.value_or(0);
  facts.queries_per_kv = n_head_kv > 0 ? n_head / n_head_kv : 0;
  facts.family = arch::recipe_family(*arch);
  facts.shares_kv = n_head != n_head_kv;
  return facts;
}

/// What is asked for by name.
struct Wish {
  uint32_t type_id = 0;
  std::string reason;
};

class Planner {
 public:
  static Result<Planner> create(const io::ModelFile& file, const Recipe& recipe, const RecipeOptions& options) {
    Planner planner(file, recipe, options);
    QUERN_TRY(planner.facts_, model_facts(file));
    planner.facts_.has_imatrix = options.has_imatrix;
    planner.default_type_ = quant::find_type(recipe.default_type).value_or(0);
    for (const Rule& rule : rule_table()) {
      if (names(rule.recipes, recipe.name)) planner.rules_.push_back(&rule);
    }
    for (const TypeOverride& wanted : options.overrides) {
      QUERN_CHECK(check_type(wanted.type_id));
      QUERN_TRY(text::Regex pattern, text::Regex::compile(wanted.pattern));
      planner.patterns_.push_back(std::move(pattern));
    }
    if (options.output_tensor_type) QUERN_CHECK(check_type(*options.output_tensor_type));
    if (options.token_embedding_type) QUERN_CHECK(check_type(*options.token_embedding_type));
    return planner;
  }

  std::vector<TensorPlan> run() {
    const auto& entries = file_.tensors.entries();
    std::vector<TensorPlan> plans(entries.size());
    // Rules that speak of the nth tensor of its part count by layer, then by name.
    std::vector<size_t> order;
    for (size_t i = 0; i < entries.size(); ++i) {
      plans[i].tensor = &entries[i];
      plans[i].source_type = plans[i].target_type = entries[i].type_id;
      plans[i].eligible = is_eligible(entries[i]);
      if (plans[i].eligible) order.push_back(i);
      ++n_of(part_of(entries[i].name, has_output_)).n;
    }
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::pair(layer_of(entries[a].name), std::string_view(entries[a].name)) <
             std::pair(layer_of(entries[b].name), std::string_view(entries[b].name));
    });
    for (const size_t i : order) decide(plans[i]);
    for (TensorPlan& plan : plans) {
      if (!plan.eligible) plan.reason = "not a weight that is quantized";
    }
    return plans;
  }

 private:
  Planner(const io::ModelFile& file, const Recipe& recipe, const RecipeOptions& options)
      : file_(file), recipe_(recipe), options_(options), has_output_(file.tensors.find(kOutput) != nullptr) {}

  static Status check_type(uint32_t type_id) {
    QUERN_ENSURE(quant::find_type(quant::type_name(type_id)) == type_id, Errc::argument, "tensor type ",
                 quant::type_name(type_id), " (", type_id, ") is no type of weights");
    return {};
  }

  void decide(TensorPlan& plan) {
    const io::TensorEntry& tensor = *plan.tensor;
    const Part part = part_of(tensor.name, has_output_);
    if (recipe_.copies() || (options_.leave_output && tensor.name == kOutput)) {
      plan.reason = recipe_.copies() ? "copied" : "the output is left as it is";
      return;
    }
    if (auto wish = wish_for(tensor.name, part)) {
      plan.asked_for = true;
      plan.target_type = wish->type_id;
      plan.reason = std::move(wish->reason);
    } else {
      apply_rules(facts_of(tensor, part), plan);
    }
    fit_shape(tensor, plan);
    plan.needs_imatrix = plan.converts() && imatrix_needed(plan.target_type, part);
  }

  /// Counts the tensor: those that were asked for by name do not count as the nth of their part, as in llama.cpp.
  Facts facts_of(const io::TensorEntry& tensor, Part part) {
    Facts facts = facts_;
    facts.part = part;
    Count& count = n_of(facts.part);
    facts.nth = count.seen++;
    facts.n_same = count.n;
    const int64_t layer = layer_of(tensor.name);
    facts.layer = facts.n_expert > 1 && layer >= 0 ? static_cast<uint32_t>(layer) : facts.nth;
    facts.stacked = tensor.view.shape.ne[2] > 1;
    facts.odd_columns = !fits(tensor, default_type_);
    return facts;
  }

  std::optional<Wish> wish_for(std::string_view name, Part part) const {
    if (name == kTokenEmbd && options_.token_embedding_type) {
      return Wish{*options_.token_embedding_type, "asked for: token embedding type"};
    }
    if (part == Part::output && options_.output_tensor_type) {
      return Wish{*options_.output_tensor_type, "asked for: output tensor type"};
    }
    for (size_t i = 0; i < patterns_.size(); ++i) {
      if (patterns_[i].matches(name)) {
        return Wish{options_.overrides[i].type_id, cat("asked for: ", options_.overrides[i].pattern)};
      }
    }
    return std::nullopt;
  }

  void apply_rules(const Facts& facts, TensorPlan& plan) const {
    plan.target_type = default_type_;
    plan.reason = cat("the type of ", recipe_.name);
    const auto block = quant::block_size(default_type_);
    const bool quantizes = block && block->elems > 1;
    if (options_.pure || !quantizes) return;
    for (const Rule* rule : rules_) {
      if ((rule->part != facts.part && rule->part != Part::any) || !rule->condition.holds(facts)) continue;
      if (rule->type != kDefault) plan.target_type = quant::find_type(rule->type).value_or(default_type_);
      if (rule->type != kDefault) plan.reason = cat(recipe_.name, " gives it ", rule->type);
      if (!rule->condition.text.empty()) plan.reason += cat(" (", rule->condition.text, ")");
      return;
    }
  }

  static bool fits(const io::TensorEntry& tensor, uint32_t type_id) {
    const auto block = quant::block_size(type_id);
    return block && tensor.view.shape.cols() % block->elems == 0;
  }

  static void fit_shape(const io::TensorEntry& tensor, TensorPlan& plan) {
    if (fits(tensor, plan.target_type)) return;
    const std::string wanted = quant::type_name(plan.target_type);
    uint32_t type_id = kF16;
    for (const StandIn& row : stand_in_table()) {
      if (row.type == wanted) type_id = quant::find_type(row.instead).value_or(kF16);
    }
    if (!fits(tensor, type_id)) type_id = kF16;
    plan.fallback = cat(quant::type_name(type_id), ", as rows of ", tensor.view.shape.cols(),
                        " elements are not whole blocks of ", wanted);
    plan.target_type = type_id;
  }

  bool imatrix_needed(uint32_t type_id, Part part) const {
    const bool at_an_end = part == Part::output || part == Part::token_embd;
    const std::string name = quant::type_name(type_id);
    for (const ImatrixNeed& row : imatrix_table()) {
      if (row.type == name && names(row.recipes, recipe_.name)) return row.ends_too || !at_an_end;
    }
    return false;
  }

  struct Count {
    uint32_t n = 0, seen = 0;
  };
  Count& n_of(Part part) { return counts_[static_cast<size_t>(part)]; }

  const io::ModelFile& file_;
  const Recipe& recipe_;
  const RecipeOptions& options_;
  bool has_output_;
  Facts facts_;
  uint32_t default_type_ = 0;
  std::vector<const Rule*> rules_;
  std::vector<text::Regex> patterns_;
  std::array<Count, static_cast<size_t>(Part::any)> counts_{};
};

}  // namespace

std::span<const Recipe> recipes() { return recipe_table(); }

Result<const Recipe*> find_recipe(std::string_view name) {
  std::string_view wanted = name;
  for (const Alias& alias : alias_table()) {
    if (same_text(alias.name, name)) wanted = alias.recipe;
  }
  for (const Recipe& recipe : recipes()) {
    const bool by_number = recipe.file_type != kKeepFileType && std::to_string(recipe.file_type) == wanted;
    if (same_text(recipe.name, wanted) || by_number) return &recipe;
  }
  std::string all;
  for (const Recipe& recipe : recipes()) all += cat(all.empty() ? "" : ", ", recipe.name);
  return fail(Errc::argument, "unknown quantization type ", io::quoted(name), ", expected one of ", all);
}

Result<std::vector<TensorPlan>> plan_types(const io::ModelFile& file, const Recipe& recipe,
                                           const RecipeOptions& options) {
  QUERN_TRY(Planner planner, Planner::create(file, recipe, options));
  return planner.run();
}

}  // namespace quern::convert
