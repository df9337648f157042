// Recipes: which tensor of a model gets which type. "Q4_K_M" is one: most tensors in Q4_K, those that matter more in
// more bits. The tables are in recipe_table.cc; here is what they mean, and plan_types(), which applies them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"
#include "lib/io/reader.h"

namespace quern::convert {

struct Recipe {
  std::string_view name;
  uint32_t file_type;             ///< general.file_type of its files; kKeepFileType for COPY
  std::string_view default_type;  ///< what most tensors get; empty for COPY, which keeps every type
  double bits_per_weight;         ///< of Llama 3 8B, all tensors; 0 for COPY
  std::string_view description;   ///< one line
  bool needs_imatrix = false;     ///< for every usual model: see TensorPlan::needs_imatrix for the truth about one

  bool copies() const { return default_type.empty(); }
};
inline constexpr uint32_t kKeepFileType = UINT32_MAX;

/// All recipes, from few bits to many.
std::span<const Recipe> recipes();

/// By name, in any case; by the short names "Q3_K", "Q4_K" and "Q5_K", which mean the _M mixes; or by the number that
/// general.file_type would get. Errc::argument lists the names.
Result<const Recipe*> find_recipe(std::string_view name);

/// The tensors whose names this regular expression matches (anywhere, see lib/text/regex.h) get this type.
struct TypeOverride {
  std::string pattern;
  uint32_t type_id = 0;
};

struct RecipeOptions {
  bool pure = false;          ///< every tensor gets the recipe's default type
  bool leave_output = false;  ///< output.weight stays as it is
  bool has_imatrix = false;   ///< some mixes spend their bits differently where there is an importance matrix
  /// What is asked for by name goes before the recipe's rules, also in a pure one: first these two, then the overrides,
  /// of which the first that matches counts. The type of the output is also that of a token_embd.weight which serves as
  /// output, unless token_embedding_type is given.
  std::optional<uint32_t> output_tensor_type;
  std::optional<uint32_t> token_embedding_type;
  std::vector<TypeOverride> overrides;
};

/// What is to become of one tensor.
struct TensorPlan {
  const io::TensorEntry* tensor = nullptr;
  uint32_t source_type = 0, target_type = 0;
  bool eligible = false;       ///< may be quantized at all; where not, the target is the source
  bool needs_imatrix = false;  ///< the target type cannot be made well without an importance matrix
  bool asked_for = false;      ///< the type was asked for by name
  bool exact = false;          ///< the target type holds the source's very numbers, see exact_type()
  std::string reason;          ///< why this type; a few words for people
  std::string fallback;        ///< which type the shape ruled out; empty where it did not

  /// Equal types are copied byte by byte.
  bool converts() const { return source_type != target_type; }
};

/// One plan per tensor, in the order of the file. Errc::argument for an override that does not compile, or a type that
/// is no type of weights.
Result<std::vector<TensorPlan>> plan_types(const io::ModelFile& file, const Recipe& recipe,
                                           const RecipeOptions& options = {});

}  // namespace quern::convert
