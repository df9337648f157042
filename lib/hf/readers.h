// The forms that matrices have in checkpoints: one reader for each, in a file of its own.
#pragma once

#include <optional>

#include "lib/base/status.h"
#include "lib/hf/module.h"

namespace quern::hf {

/// nullopt where the module is not of this form; an error where it is, and is wrong or not supported.
using MatrixReader = Result<std::optional<Matrix>>(const Module& module);

MatrixReader read_bitsandbytes, read_gptq, read_awq, read_compressed_tensors, read_mxfp4, read_nvfp4, read_fp8,
    read_plain;

}  // namespace quern::hf
