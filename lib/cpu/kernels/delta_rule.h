// The gated delta rule (Yang et al. 2024, arXiv 2412.06464) for one head of one sequence.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace quern::cpu {

/// Columns of a state's matrix that lie together: a tile is [k_dim][kDeltaTile] floats, the columns beyond v_dim zeros.
/// A column's results depend on that column alone, so a tile stays in the first level cache for all tokens of a call.
inline constexpr size_t kDeltaTile = 16;
constexpr size_t delta_tiles(size_t v_dim) { return (v_dim + kDeltaTile - 1) / kDeltaTile; }

/// Where a head's numbers are: of row 0, and how many floats later those of the next row.
struct DeltaHead {
  size_t k_dim = 0, v_dim = 0;
  float scale = 1;
  const float *q = nullptr, *k = nullptr, *v = nullptr, *decay = nullptr, *rate = nullptr;
  size_t q_stride = 0, k_stride = 0, v_stride = 0, decay_stride = 0, rate_stride = 0;
  float* out = nullptr;
  size_t out_stride = 0;
};

/// Stream::delta_rule for the rows of one sequence. `from` and `to` are the tiles of the head's matrix, which may be
/// the same; nullptr stands for zeros.
void delta_rule_head(const DeltaHead& head, std::span<const uint32_t> rows, const float* from, float* to);

}  // namespace quern::cpu
