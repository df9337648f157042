// Layer normalization (Ba et al. 2016, arXiv 1607.06450) of one row.
#pragma once

#include <cstddef>

namespace quern::cpu {

/// out[i] = (x[i] - m) / sqrt(mean((x - m)^2) + eps) * weight[i] + bias[i], m = mean(x). bias may be nullptr: none. out
/// may be x.
void layer_norm_row(const float* x, const float* weight, const float* bias, float eps, float* out, size_t n);

}  // namespace quern::cpu
