// From the vectors of a text's tokens to one, and to its length.
#pragma once

#include <quern/embed.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/status.h"

namespace quern::context {

/// The tokens, of n, whose vectors this pooling looks at, in order. n > 0.
std::vector<uint32_t> pooled_tokens(Pooling pooling, uint32_t n);

/// Appends what becomes of their vectors [.., n_embd]: all of them, or one.
void pool(Pooling pooling, std::span<const float> states, size_t n_embd, std::vector<float>& out);

/// Errc::argument for kinds that there are not.
Status check_normalization(int32_t kind);
/// Divides by the norm that EmbedderOptions::normalize tells; a vector of zeros stays as it is.
void normalize(std::span<float> vector, int32_t kind);

}  // namespace quern::context
