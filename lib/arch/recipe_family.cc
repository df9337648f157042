#include "lib/arch/recipe_family.h"

namespace quern::arch {
namespace {

struct Row {
  std::string_view architecture;
  RecipeFamily family;
};
constexpr Row kFamilies[] = {{"llama", RecipeFamily::llama}, {"falcon", RecipeFamily::falcon}};

}  // namespace

RecipeFamily recipe_family(std::string_view architecture) {
  for (const Row& row : kFamilies) {
    if (row.architecture == architecture) return row.family;
  }
  return RecipeFamily::ordinary;
}

}  // namespace quern::arch
