// Attention over the paged cache with an online softmax (Milakov & Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022).
//
// For one query the keys are visited block by block in the order of its block table, and inside a block token by token;
// the running maximum, sum and output are rescaled once a block. That order is fixed, so the result of a query does not
// depend on the queries that are computed beside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/compute/ops.h"
#include "lib/cpu/kv_store.h"

namespace quern::cpu {

/// Queries computed side by side, which share the loads of keys and values.
inline constexpr size_t kMaxQueries = 8;

/// One head of one row. It attends to entries [begin, end) of its sequence.
struct Query {
  const float* q;  ///< [k_dim]
  float* out;      ///< [v_dim]
  uint32_t begin, end;
};

/// Queries of one key-value head and one block table.
struct AttentionTask {
  const KvStore* kv;
  const uint32_t* blocks;
  uint32_t layer, kv_head, k_dim, v_dim;
  float scale, softcap;
};

/// Computes up to kMaxQueries queries. `scratch` holds at least attention_scratch_floats(k_dim, v_dim).
void attend(const AttentionTask& task, std::span<const Query> queries, float* scratch);
size_t attention_scratch_floats(size_t k_dim, size_t v_dim);

/// Stores one row of keys and values [n_heads * dim] in a slot.
void store_kv_row(const KvStore& kv, uint32_t layer, uint32_t slot, const float* k, const float* v);

}  // namespace quern::cpu
