// Attention over the paged cache with an online softmax (Milakov & Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022,
// arXiv 2205.14135).
//
// The keys of one query are visited block by block in the order of its block table, in chunks of kChunkTokens; the
// running maximum, sum and output are rescaled once a block, and the chunks' results are merged in order. That order
// is fixed, so the result of a query depends neither on the queries beside it nor on which threads computed which
// chunk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/compute/ops.h"
#include "lib/cpu/attention/kv_store.h"

namespace quern::cpu {

/// Queries computed side by side, which share the loads of keys and values.
inline constexpr size_t kQueries = 8;
/// Keys that are visited before their results are merged into those of the keys before.
inline constexpr uint32_t kChunkTokens = 512;

/// One head of one row. It attends to entries [begin, end) of its sequence.
struct Query {
  const float* q;  ///< [k_dim]
  float* out;      ///< [v_dim]
  uint32_t begin, end;
  const float* sink;  ///< the score of a key that is always there and whose value is zero; or none
};

/// Queries of one key-value head and one block table.
struct AttentionTask {
  const KvStore* kv;
  const uint32_t* blocks;
  uint32_t layer, kv_head, k_dim, v_dim;
  float scale, softcap;
};

/// Queries of one attend(): a block of keys serves them all while it is in the first-level cache.
inline constexpr size_t kMaxQueries = 4 * kQueries;

/// Computes up to kMaxQueries queries over all their keys. scratch: attend_floats() floats.
void attend(const AttentionTask& task, std::span<const Query> queries, float* scratch);
size_t attend_floats(const AttentionTask& task);

/// The same in two steps, for up to kQueries queries. First each chunk of keys on its own, which leaves state_floats()
/// floats; scratch as above.
void attend_chunk(const AttentionTask& task, std::span<const Query> queries, uint32_t chunk, float* state,
                  float* scratch);
size_t state_floats(const AttentionTask& task);
/// Then from the states of n_chunks chunks, one behind the other, to the output.
void merge_chunks(const AttentionTask& task, std::span<const Query> queries, float* states, uint32_t n_chunks,
                  float* scratch);

/// Stores one row of keys and values [n_heads * dim] in a slot.
void store_kv_row(const KvStore& kv, uint32_t layer, uint32_t slot, const float* k, const float* v);

}  // namespace quern::cpu
