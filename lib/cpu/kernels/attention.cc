#include "lib/cpu/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/kernels/attention.cc"
#include "hwy/foreach_target.h"

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

#ifndef QUERN_CPU_ATTENTION_LAYOUT_
#define QUERN_CPU_ATTENTION_LAYOUT_
namespace quern::cpu {

/// The working memory of one attend(): for kMaxQueries queries, in floats.
struct AttentionScratch {
  float* q;       ///< [k_dim][kMaxQueries], already scaled
  float* scores;  ///< [kMaxQueries][kKvBlockTokens]
  float* sums;    ///< [kMaxQueries][v_stride], the running output
  float highest[kMaxQueries];
  float total[kMaxQueries];

  AttentionScratch(float* memory, size_t k_dim)
      : q(memory), scores(q + k_dim * kMaxQueries), sums(scores + kMaxQueries * compute::kKvBlockTokens) {}
};

}  // namespace quern::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using compute::kKvBlockTokens;
using DF = hn::CappedTag<float, 16>;
using VF = hn::Vec<DF>;

template <typename T>
HWY_INLINE VF load_as_float(const T* p) {
  const DF df;
  if constexpr (sizeof(T) == 2) {
    const hn::Rebind<hwy::float16_t, DF> df16;
    const hn::Rebind<uint16_t, DF> du16;
    return hn::PromoteTo(df, hn::BitCast(df16, hn::LoadU(du16, p)));
  } else {
    return hn::LoadU(df, p);
  }
}

/// scores[c][t] = q_c . key_t for the kCount queries first .. first + kCount and all tokens of a block.
template <size_t kCount, typename T>
HWY_INLINE void score_block(const AttentionTask& task, const T* keys, const AttentionScratch& s, size_t first) {
  const DF df;
  for (size_t t = 0; t < kKvBlockTokens; t += hn::Lanes(df)) {
    VF acc[kCount];
    for (size_t c = 0; c < kCount; ++c) acc[c] = hn::Zero(df);
    for (size_t i = 0; i < task.k_dim; ++i) {
      const VF key = load_as_float(keys + i * kKvBlockTokens + t);
      const float* q = s.q + i * kMaxQueries + first;
      HWY_UNROLL(8)
      for (size_t c = 0; c < kCount; ++c) acc[c] = hn::MulAdd(key, hn::Set(df, q[c]), acc[c]);
    }
    for (size_t c = 0; c < kCount; ++c) {
      if (task.softcap > 0) {
        acc[c] = hn::Mul(hn::Set(df, task.softcap), hn::Tanh(df, hn::Div(acc[c], hn::Set(df, task.softcap))));
      }
      hn::StoreU(acc[c], df, s.scores + (first + c) * kKvBlockTokens + t);
    }
  }
}

/// Turns the scores [lo, hi) of query c into weights relative to the new maximum, the others into 0. Returns the factor
/// by which everything before this block shrinks.
HWY_INLINE float weigh_block(AttentionScratch& s, size_t c, size_t lo, size_t hi) {
  const DF df;
  float* scores = s.scores + c * kKvBlockTokens;
  for (size_t t = 0; t < lo; ++t) scores[t] = -std::numeric_limits<float>::infinity();
  for (size_t t = hi; t < kKvBlockTokens; ++t) scores[t] = -std::numeric_limits<float>::infinity();
  VF top = hn::Set(df, s.highest[c]);
  for (size_t t = 0; t < kKvBlockTokens; t += hn::Lanes(df)) top = hn::Max(top, hn::LoadU(df, scores + t));
  const float highest = hn::ReduceMax(df, top);
  VF sum = hn::Zero(df);
  for (size_t t = 0; t < kKvBlockTokens; t += hn::Lanes(df)) {
    const VF weight = hn::Exp(df, hn::Sub(hn::LoadU(df, scores + t), hn::Set(df, highest)));
    hn::StoreU(weight, df, scores + t);
    sum = hn::Add(sum, weight);
  }
  const float before = s.highest[c];
  const float shrink = before == highest ? 1.0f : hn::GetLane(hn::Exp(df, hn::Set(df, before - highest)));
  s.highest[c] = highest;
  s.total[c] = s.total[c] * shrink + hn::ReduceSum(df, sum);
  return shrink;
}

/// sums_c = sums_c * shrink_c + sum over tokens [lo, hi) of weight * value.
template <size_t kCount, typename T>
HWY_INLINE void add_values(const AttentionTask& task, const T* values, const AttentionScratch& s, size_t first,
                           const float* shrink, size_t lo, size_t hi) {
  const DF df;
  const size_t stride = KvStore::v_stride(task.v_dim);
  for (size_t i = 0; i < task.v_dim; i += hn::Lanes(df)) {
    VF acc[kCount];
    for (size_t c = 0; c < kCount; ++c)
      acc[c] = hn::Mul(hn::LoadU(df, s.sums + (first + c) * stride + i), hn::Set(df, shrink[c]));
    for (size_t t = lo; t < hi; ++t) {
      const VF value = load_as_float(values + t * stride + i);
      const float* weight = s.scores + first * kKvBlockTokens + t;
      HWY_UNROLL(8)
      for (size_t c = 0; c < kCount; ++c) acc[c] = hn::MulAdd(value, hn::Set(df, weight[c * kKvBlockTokens]), acc[c]);
    }
    for (size_t c = 0; c < kCount; ++c) hn::StoreU(acc[c], df, s.sums + (first + c) * stride + i);
  }
}

template <size_t kCount, typename TK, typename TV>
HWY_INLINE void visit_block(const AttentionTask& task, const KvTile& tile, AttentionScratch& s, size_t first, size_t lo,
                            size_t hi) {
  score_block<kCount>(task, reinterpret_cast<const TK*>(tile.keys), s, first);
  float shrink[kCount];
  for (size_t c = 0; c < kCount; ++c) shrink[c] = weigh_block(s, first + c, lo, hi);
  add_values<kCount>(task, reinterpret_cast<const TV*>(tile.values), s, first, shrink, lo, hi);
}

/// Queries [first, first + kCount): together in blocks that lie inside all their ranges, one by one at the edges.
/// Either way a query sees the same operations in the same order.
template <size_t kCount, typename TK, typename TV>
HWY_INLINE void attend_group(const AttentionTask& task, std::span<const Query> queries, AttentionScratch& s,
                             size_t first) {
  uint32_t begin = queries[first].begin, end = queries[first].end, inner_begin = begin, inner_end = end;
  for (size_t c = first; c < first + kCount; ++c) {
    begin = std::min(begin, queries[c].begin);
    end = std::max(end, queries[c].end);
    inner_begin = std::max(inner_begin, queries[c].begin);
    inner_end = std::min(inner_end, queries[c].end);
  }
  for (uint32_t block = begin / kKvBlockTokens; block * kKvBlockTokens < end; ++block) {
    const KvTile tile = task.kv->tile(task.blocks[block], task.layer, task.kv_head);
    const uint32_t from = block * kKvBlockTokens, to = from + kKvBlockTokens;
    if (inner_begin <= from && to <= inner_end) {
      visit_block<kCount, TK, TV>(task, tile, s, first, 0, kKvBlockTokens);
      continue;
    }
    for (size_t c = first; c < first + kCount; ++c) {
      const uint32_t lo = std::max(from, queries[c].begin), hi = std::min(to, queries[c].end);
      if (lo < hi) visit_block<1, TK, TV>(task, tile, s, c, lo - from, hi - from);
    }
  }
}

template <typename TK, typename TV>
HWY_NOINLINE void attend_as(const AttentionTask& task, std::span<const Query> queries, AttentionScratch& s) {
  size_t c = 0;
  if (HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM_A64) {
    for (; c + 8 <= queries.size(); c += 8) attend_group<8, TK, TV>(task, queries, s, c);
  }
  for (; c + 4 <= queries.size(); c += 4) attend_group<4, TK, TV>(task, queries, s, c);
  for (; c < queries.size(); ++c) attend_group<1, TK, TV>(task, queries, s, c);
}

void attend(const AttentionTask& task, std::span<const Query> queries, float* scratch) {
  AttentionScratch s(scratch, task.k_dim);
  const size_t stride = KvStore::v_stride(task.v_dim);
  for (size_t c = 0; c < queries.size(); ++c) {
    for (size_t i = 0; i < task.k_dim; ++i) s.q[i * kMaxQueries + c] = queries[c].q[i] * task.scale;
    std::memset(s.sums + c * stride, 0, stride * sizeof(float));
    s.highest[c] = -std::numeric_limits<float>::infinity();
    s.total[c] = 0;
  }
  const bool k16 = task.kv->shape().type_k == compute::KvType::f16,
             v16 = task.kv->shape().type_v == compute::KvType::f16;
  if (k16 && v16) {
    attend_as<uint16_t, uint16_t>(task, queries, s);
  } else if (k16) {
    attend_as<uint16_t, float>(task, queries, s);
  } else if (v16) {
    attend_as<float, uint16_t>(task, queries, s);
  } else {
    attend_as<float, float>(task, queries, s);
  }
  for (size_t c = 0; c < queries.size(); ++c) {
    const float inverse = 1.0f / s.total[c];
    for (size_t i = 0; i < task.v_dim; ++i) queries[c].out[i] = s.sums[c * stride + i] * inverse;
  }
}

/// n floats as half precision, in chunks through a vector.
HWY_INLINE void to_half(const float* from, uint16_t* to, size_t n) {
  const DF df;
  const hn::Rebind<hwy::float16_t, DF> df16;
  const hn::Rebind<uint16_t, DF> du16;
  size_t i = 0;
  for (; i + hn::Lanes(df) <= n; i += hn::Lanes(df)) {
    hn::StoreU(hn::BitCast(du16, hn::DemoteTo(df16, hn::LoadU(df, from + i))), du16, to + i);
  }
  if (i < n) hn::StoreN(hn::BitCast(du16, hn::DemoteTo(df16, hn::LoadN(df, from + i, n - i))), du16, to + i, n - i);
}

/// One head's key of one token into the transposed tile.
template <typename T>
HWY_INLINE void store_key(const float* key, size_t k_dim, T* tile, size_t token) {
  constexpr size_t kChunk = 64;
  uint16_t halves[kChunk];
  for (size_t i = 0; i < k_dim; i += kChunk) {
    const size_t n = std::min(kChunk, k_dim - i);
    if constexpr (sizeof(T) == 2) to_half(key + i, halves, n);
    for (size_t j = 0; j < n; ++j) {
      if constexpr (sizeof(T) == 2) {
        tile[(i + j) * kKvBlockTokens + token] = halves[j];
      } else {
        tile[(i + j) * kKvBlockTokens + token] = key[i + j];
      }
    }
  }
}

void store_kv_row(const KvStore& kv, uint32_t layer, uint32_t slot, const float* k, const float* v) {
  const compute::KvLayer& dims = kv.shape().layers[layer];
  const size_t token = slot % kKvBlockTokens, stride = KvStore::v_stride(dims.v_dim);
  for (uint32_t head = 0; head < dims.n_heads; ++head, k += dims.k_dim, v += dims.v_dim) {
    const KvTile tile = kv.tile(slot / kKvBlockTokens, layer, head);
    if (kv.shape().type_k == compute::KvType::f16) {
      store_key(k, dims.k_dim, reinterpret_cast<uint16_t*>(tile.keys), token);
    } else {
      store_key(k, dims.k_dim, reinterpret_cast<float*>(tile.keys), token);
    }
    if (kv.shape().type_v == compute::KvType::f16) {
      to_half(v, reinterpret_cast<uint16_t*>(tile.values) + token * stride, dims.v_dim);
    } else {
      std::memcpy(reinterpret_cast<float*>(tile.values) + token * stride, v, dims.v_dim * sizeof(float));
    }
  }
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(attend);
HWY_EXPORT(store_kv_row);

void attend(const AttentionTask& task, std::span<const Query> queries, float* scratch) {
  HWY_DYNAMIC_DISPATCH(attend)(task, queries, scratch);
}

size_t attention_scratch_floats(size_t k_dim, size_t v_dim) {
  return kMaxQueries * (k_dim + compute::kKvBlockTokens + KvStore::v_stride(v_dim));
}

void store_kv_row(const KvStore& kv, uint32_t layer, uint32_t slot, const float* k, const float* v) {
  HWY_DYNAMIC_DISPATCH(store_kv_row)(kv, layer, slot, k, v);
}

}  // namespace quern::cpu
#endif  // HWY_ONCE
