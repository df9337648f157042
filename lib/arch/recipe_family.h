// Families that the classic quantization recipes treat in a way of their own; they need not be among those that run
// here.
#pragma once

#include <string_view>

namespace quern::arch {

enum class RecipeFamily { ordinary, llama, falcon };

/// `architecture`: the value of general.architecture.
RecipeFamily recipe_family(std::string_view architecture);

}  // namespace quern::arch
