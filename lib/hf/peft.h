// Adapters in the form of Hugging Face's PEFT: adapter_config.json, which says what kind they are, and the arrays
// base_model.model.MODULE.lora_A.weight [rank, inputs] and lora_B.weight [outputs, rank] of each changed module; of
// embeddings lora_embedding_A [rank, tokens] and lora_embedding_B [length, rank].
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "lib/base/status.h"
#include "lib/io/adapter.h"
#include "lib/io/reader.h"

namespace quern::hf {

/// A file's bytes and its path, for messages.
struct NamedBytes {
  std::span<const std::byte> bytes;
  std::string path;
};

/// Reads the two files of a folder for a model of these keys. Modules get the names that the model's tensors have in a
/// GGUF, and rows are moved as those of the tensors are (arch::HfTensor). Parts point into `arrays`. Errors name file,
/// key or array; what is more than a low-rank change of weights is refused by name.
Result<io::AdapterFile> read_peft(const NamedBytes& config, const NamedBytes& arrays, const io::MetaTable& model);

}  // namespace quern::hf
