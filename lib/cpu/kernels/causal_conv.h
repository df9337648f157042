// A causal convolution along a sequence, in every channel on its own, and silu of it: one token.
#pragma once

#include <cstddef>
#include <span>

namespace quern::cpu {

/// out[c] = silu(sum over j, from 0 on, of taps[c * n + j] * inputs[j][c]) for the channels c in [begin, end), where n
/// is the number of inputs, the oldest first.
void causal_conv_row(std::span<const float* const> inputs, const float* taps, float* out, size_t begin, size_t end);

}  // namespace quern::cpu
