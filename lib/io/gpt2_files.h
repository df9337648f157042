// vocab.json and merges.txt: how BPE tokenizers were kept before tokenizer.json, as GPT-2's and Qwen 2's.
//
//   vocab.json  {"token": id} in GPT-2's byte alphabet
//   merges.txt  "left right" per line, in order; a first line "#version: ..."
//
// How text is cut into words is the tokenizer class's, which tokenizer_config.json names, or the model's, in
// config.json.
#pragma once

#include <string>
#include <string_view>

#include "lib/io/json.h"

namespace quern::io {

/// The tokenizer.json that says the same. `name` is that of the tokenizer class or of the model type; `file` is for
/// messages.
Result<Json> join_gpt2_files(Json vocab, std::string_view merges, std::string_view name, const std::string& file);

}  // namespace quern::io
