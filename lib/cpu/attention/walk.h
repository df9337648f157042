// What the kernels of attention share: kQueries queries walk over the cache block by block.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/cpu/attention/attend.h"

namespace quern::cpu {

inline constexpr float kLog2E = 1.44269504f;
/// Below every score, and finite: its differences are no NaN.
inline constexpr float kLowest = -1e30f;

/// The running softmax of up to kQueries queries: the highest score, the sum of the weights and the
/// weighted sum of the values, both relative to it.
struct QueryState {
  float* highest = nullptr;  ///< [kQueries]
  float* total = nullptr;    ///< [kQueries]
  float* out = nullptr;      ///< [kQueries][padded(v_dim)]

  QueryState() = default;
  explicit QueryState(float* memory) : highest(memory), total(memory + kQueries), out(memory + 2 * kQueries) {}
  static size_t floats(size_t v_dim) { return kQueries * (2 + padded(v_dim)); }
};

/// One block of keys and what the queries make of it.
struct KeyBlock {
  KvTile tile;
  bool edge;                                                      ///< some query does not see all of it
  uint32_t lo[kQueries], hi[kQueries];                            ///< query c sees the tokens lo .. hi - 1 of the block
  alignas(64) float weights[kQueries * compute::kKvBlockTokens];  ///< [query][token]: scores, then weights
  alignas(32) float shrink[kQueries], grow[kQueries];
};

/// The kernels of one codec; by_width[i]: for 1 << i queries.
struct KeyKernels {
  /// Brings n queries, scaled by `scale`, into the form that score() reads.
  void (*prepare)(const Query* queries, size_t n, size_t k_dim, float scale, float* q);
  void (*score[4])(const KvTile& tile, size_t k_dim, const float* q, float* scores);
};
inline size_t q_floats(const AttentionTask& task) {
  return kQueries * (padded(task.k_dim) + padded(task.k_dim) / kKvGroup);
}
struct ValueKernels {
  void (*add[4])(const KeyBlock& block, size_t v_dim, float* out);
};

}  // namespace quern::cpu
