// What converting makes of a model's tensors: the rules beside the recipes' that hold for sources which no quantizer
// has made, such as Hugging Face folders.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "lib/base/status.h"
#include "lib/base/thread_pool.h"
#include "lib/convert/recipe.h"
#include "lib/io/reader.h"

namespace quern::convert {

/// Whether a type holds what was trained, or has lost some of it.
bool is_float_type(uint32_t type_id);
/// Whether a GGUF file can hold tensors of this type.
bool is_gguf_type(uint32_t type_id);

/// The recipe that keeps most of a model in 16 bits per weight: BF16 or F16 as the first matrix of such a type is; F16
/// where there is none. That is convert_hf_to_gguf.py's "auto".
std::string_view sixteen_bit_recipe(const io::ModelFile& file);

/// Changes plans of plan_types(). Tensors that are not quantized (norms, biases, routers) become F32, as converters
/// write them. Weights that are quantized already keep their numbers, where `keep` and the plan would only turn them
/// into floats, if a GGUF type holds them; the plan's `exact` says so. What a GGUF cannot hold at all becomes 16-bit.
Status plan_conversion(const io::ModelFile& file, bool keep, base::ThreadPool& pool, std::vector<TensorPlan>& plans);

/// general.file_type for these plans: the recipe's, or where kept weights are the larger part, that of their type.
uint32_t file_type_of(const Recipe& recipe, const std::vector<TensorPlan>& plans);

}  // namespace quern::convert
