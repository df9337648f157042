// Low-rank adapters: GGUF files, and folders in the form of Hugging Face's PEFT.
#pragma once

#include <string>

#include "lib/base/status.h"
#include "lib/io/adapter.h"

namespace quern::hf {

/// Opens an adapter for a model: a GGUF, or a folder with adapter_config.json and adapter_model.safetensors, whose
/// modules get the names that the model's tensors have in a GGUF. Errors name file, key or array.
Result<io::AdapterFile> open_adapter(const std::string& path, const io::ModelFile& model);

}  // namespace quern::hf
