// The reference backend: every verb as its definition says, in scalar code with float32 activations and double sums.
// Slow, obvious, and the oracle that every other backend is tested against.
#pragma once

#include <memory>

#include "lib/compute/ops.h"

namespace quern::reference {

Result<std::unique_ptr<compute::Backend>> make_backend();

}  // namespace quern::reference
