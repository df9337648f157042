// Collecting an importance matrix: the model reads a text, chunk by chunk, while the inputs of its products are summed.
#pragma once

#include <quern/imatrix.h>

#include <span>

#include "lib/base/status.h"
#include "lib/convert/imatrix.h"

namespace quern::engine {

/// Adds to `out` chunk by chunk; see quern::Imatrix::collect().
Status collect_imatrix(const Model& model, std::span<const Token> tokens, const ImatrixOptions& options,
                       convert::Imatrix& out);

}  // namespace quern::engine
