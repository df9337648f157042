// Quantizing into a checkpoint of another tool: a folder, not a file.
#pragma once

#include <quern/quantize.h>

#include <string>

#include "lib/convert/matrix_form.h"

namespace quern::engine {

/// What quantize() does for the types of convert::matrix_forms().
Result<QuantizeResult> quantize_checkpoint(const Runtime& runtime, const std::string& in, const std::string& out,
                                           const QuantizeOptions& options, const convert::FormInfo& info);

}  // namespace quern::engine
