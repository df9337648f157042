// Root mean square normalization (Zhang & Sennrich 2019, arXiv 1910.07467) of one row, and normalization to length 1.
#pragma once

#include <cstddef>

namespace quern::cpu {

/// out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]. out may be x. A weight of nullptr is one of ones.
void rms_norm_row(const float* x, const float* weight, float eps, float* out, size_t n);
/// x[i] /= max(sqrt(sum(x^2)), eps)
void l2_norm_row(float* x, float eps, size_t n);

}  // namespace quern::cpu
