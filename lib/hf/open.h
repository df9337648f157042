// Opening any model: a file by its content, or a Hugging Face folder as the GGUF that it would be converted to.
#pragma once

#include <string>

#include "lib/base/status.h"
#include "lib/io/reader.h"

namespace quern::hf {

/// A folder with a config.json becomes a ModelFile with the keys and tensor names of a GGUF: so all that reads those
/// reads it too. Tensors that are stored otherwise than a GGUF has them (in other types, permuted, one by one) are made
/// when their rows are asked for. Anything else is io::open_model_file's.
Result<io::ModelFile> open_model(const std::string& path, const io::OpenOptions& options = {});

}  // namespace quern::hf
