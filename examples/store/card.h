// What a model's file says about the model, for lists and cards.
#pragma once

#include <quern/result.h>

#include <string>

#include "examples/store/store.h"

namespace quern::store {

/// Reads metadata and tokenizer of a GGUF file or a Hugging Face folder.
Result<Details> read_details(const std::string& path);
Result<Card> read_card(const StoredModel& model);

/// "1.2B", "494M", "7.6K": three significant digits at most.
std::string parameter_size_text(uint64_t n_parameters);

}  // namespace quern::store
