// What encode() is told about the rows that it gets, wherever they come from.
#pragma once

#include <cstddef>
#include <vector>

namespace quern::quant {

/// How much an error in each of these weights counts: sqrt(2 * mean(x^2) + x^2), times the importance of its input
/// where that is known. The first factor says that large weights are the ones that carry what was learnt; with it
/// alone, or with importance alone, the quantized model strays further from its source (Kullback-Leibler divergence).
/// `out` has the size of the row.
void weigh(const float* row, const float* importance, std::vector<float>& out);

/// The position of the first number that is infinite or not a number, or n.
size_t first_not_finite(const float* x, size_t n);

}  // namespace quern::quant
