// Operations on single rows of floats that combine element by element.
#pragma once

#include <cstddef>

namespace quern::cpu {

void add_row(float* x, const float* y, size_t n);                           ///< x += y
void swiglu_row(const float* gate, const float* up, float* out, size_t n);  ///< out = gate * sigmoid(gate) * up

}  // namespace quern::cpu
