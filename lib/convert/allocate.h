// Types for tensors within a size: the choice of least total loss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/base/thread_pool.h"
#include "lib/io/reader.h"

namespace quern::convert {

/// One type that a tensor could get.
struct Choice {
  uint32_t type_id = 0;
  uint64_t size_bytes = 0;
  double loss = 0;  ///< that of all tensors is the sum
};

/// For each tensor the position of one of its choices (at least one each), such that they take at most `budget_bytes`
/// together. Minimizes loss + lambda * size tensor by tensor, with the least lambda that keeps to the budget, which is
/// optimal for that size (Everett 1963, "Generalized Lagrange multiplier method"), and spends what is left where it
/// gains most for its bytes. Errc::argument if even the smallest choices do not fit.
Result<std::vector<size_t>> allocate(std::span<const std::vector<Choice>> tensors, uint64_t budget_bytes);

/// The weighted squared error of a tensor in another type, as Quantizer makes it, from at most kSampledRows of its
/// rows; and the weighted squares of the tensor itself, to compare with.
struct RoundingError {
  double error = 0, energy = 0;
};
inline constexpr uint64_t kSampledRows = 256;
Result<RoundingError> rounding_error(const io::TensorEntry& tensor, uint32_t type_id, std::span<const float> importance,
                                     base::ThreadPool& pool);

}  // namespace quern::convert
