// Operations on single rows of floats that combine element by element.
#pragma once

#include <cstddef>

#include "lib/compute/ops.h"

namespace quern::cpu {

void add_row(float* x, const float* y, size_t n);                       ///< x += y
void add_scaled_row(float* x, const float* y, float factor, size_t n);  ///< x += factor * y
void scale_row(const float* x, float factor, float* out, size_t n);     ///< out = factor * x; out may be x
void softcap_row(float* x, float cap, size_t n);                        ///< x = cap * tanh(x / cap)
void gelu_row(float* x, size_t n);                                      ///< x = gelu(x), by tanh
void sigmoid_row(float* x, size_t n);                                   ///< x = 1 / (1 + exp(-x))
void decay_row(float* x, const float* rate, size_t n);                  ///< x = exp(rate * ln(1 + exp(x)))
void glu_row(compute::Glu kind, const float* gate, const float* up, float* out, size_t n);  ///< out may be gate

}  // namespace quern::cpu
