// Rotary position embedding (Su et al. 2021, arXiv 2104.09864) of one row of heads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/compute/ops.h"

namespace quern::cpu {

/// Rotates the first 2 * half elements of each of n_heads heads in place; pair i by the angle with cosine[i], sine[i].
void rope_row(float* x, size_t n_heads, size_t head_dim, size_t half, compute::RopePairs pairs, const float* cosine,
              const float* sine);

}  // namespace quern::cpu
