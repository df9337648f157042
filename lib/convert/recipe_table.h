// The data of the recipes: the list of recipes, the rules that give single tensors another type than the recipe's
// default, and three short lists. Nothing here computes; recipe.cc does.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "lib/arch/recipe_family.h"
#include "lib/convert/recipe.h"

namespace quern::convert {

/// What a tensor is in its model, told by its name. A tensor is the first of these that fits.
enum class Part : uint8_t {
  output,      ///< output.weight, or token_embd.weight where there is no such tensor
  token_embd,  ///< looked up by token, not multiplied
  attn_v,      ///< also fused with queries and keys (attn_qkv), or still compressed (attn_kv_b)
  attn_k,
  attn_q,
  ffn_down,  ///< experts' and shared ones too, as the next ones
  attn_output,
  ffn_gate,
  ffn_up,
  other,
  any,  ///< in a rule: all of them
};

/// What a rule may ask.
struct Facts {
  Part part = Part::other;
  uint32_t nth = 0;     ///< this is the nth tensor of its part, from 0, by layer
  uint32_t n_same = 0;  ///< tensors of its part
  uint32_t layer = 0;   ///< its layer in a model of experts (there may be several of its part per layer), else nth
  uint32_t n_layer = 0;
  uint32_t n_expert = 0;
  uint32_t queries_per_kv = 1;  ///< attention.head_count / attention.head_count_kv, of the first layer
  bool shares_kv = false;       ///< fewer key-value heads than query heads
  arch::RecipeFamily family = arch::RecipeFamily::ordinary;
  bool has_imatrix = false;
  bool stacked = false;      ///< several matrices: the experts of a layer
  bool odd_columns = false;  ///< its rows are not whole blocks of the recipe's default type
};

struct Condition {
  std::string_view text;  ///< for TensorPlan::reason
  bool (*holds)(const Facts&);
};

/// Read: tensors of `part`, in `recipes` (names between blanks, "*" for all), if `condition` holds, get `type`;
/// kDefault is the recipe's own. The first rule that fits decides.
struct Rule {
  Part part;
  std::string_view recipes;
  const Condition& condition;
  std::string_view type;
};
inline constexpr std::string_view kDefault = "";

std::span<const Recipe> recipe_table();
std::span<const Rule> rule_table();

struct Alias {
  std::string_view name, recipe;
};
std::span<const Alias> alias_table();

/// How the part is told by the tensor's name.
struct PartName {
  Part part;
  std::string_view text;
  bool whole;  ///< the text is the whole name, else a piece of it
};
std::span<const PartName> part_table();

/// Tensors whose names hold one of these are never quantized: norms, routers and other small ones that results hang on.
std::span<const std::string_view> never_quantized();

/// Where rows are not whole blocks of a type, the type that stands in for it. If that does not fit either, or nothing
/// stands here: F16.
struct StandIn {
  std::string_view type, instead;
};
std::span<const StandIn> stand_in_table();

/// Types that cannot be made well without an importance matrix.
struct ImatrixNeed {
  std::string_view type;
  std::string_view recipes;  ///< those in which that holds, "*" for all
  bool ends_too;             ///< also in output and token_embd, which few importance matrices cover
};
std::span<const ImatrixNeed> imatrix_table();

}  // namespace quern::convert
