#include "lib/cpu/attention/attend.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lib/cpu/attention/walk.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/attention/attend.cc"
#include "hwy/foreach_target.h"

#include "lib/cpu/attention/coded_kv-inl.h"
#include "lib/cpu/attention/float_kv-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {

template <KvCodec kCodec>
using FloatOf = std::conditional_t<kCodec == KvCodec::f16, uint16_t, float>;

using StoreFunction = void (*)(const float* row, size_t n, std::byte* tile, size_t token);

/// Everything that depends on how keys and values are coded.
struct CodecKernels {
  KeyKernels keys;
  ValueKernels values;
  StoreFunction store_key, store_value;
};

template <KvCodec kCodec, bool kVnni>
constexpr CodecKernels make_codec_kernels() {
  if constexpr (has_scales(kCodec)) {
    return {{&prepare_coded,
             {&score_coded<kCodec, kVnni, 1>, &score_coded<kCodec, kVnni, 2>, &score_coded<kCodec, kVnni, 4>,
              &score_coded<kCodec, kVnni, 8>}},
            {{&add_coded<kCodec, kVnni, 1>, &add_coded<kCodec, kVnni, 2>, &add_coded<kCodec, kVnni, 4>,
              &add_coded<kCodec, kVnni, 8>}},
            &store_coded<kCodec, true>,
            &store_coded<kCodec, false>};
  } else {
    using T = FloatOf<kCodec>;
    return {{&prepare_float, {&score_float<T, 1>, &score_float<T, 2>, &score_float<T, 4>, &score_float<T, 8>}},
            {{&add_float<T, 1>, &add_float<T, 2>, &add_float<T, 4>, &add_float<T, 8>}},
            &store_float<T, true>,
            &store_float<T, false>};
  }
}

template <bool kVnni>
const CodecKernels& kernels_with(KvCodec codec) {
  static constexpr CodecKernels kKernels[kKvCodecs] = {
      make_codec_kernels<KvCodec::f32, kVnni>(), make_codec_kernels<KvCodec::f16, kVnni>(),
      make_codec_kernels<KvCodec::i16, kVnni>(), make_codec_kernels<KvCodec::i8, kVnni>(),
      make_codec_kernels<KvCodec::i4, kVnni>()};
  return kKernels[static_cast<size_t>(codec)];
}

const CodecKernels& kernels_of(KvCodec codec) {
#if HWY_TARGET == HWY_AVX3
  if (__builtin_cpu_supports("avx512vnni")) return kernels_with<true>(codec);
#endif
  return kernels_with<kTargetHasVnni>(codec);
}

/// The narrowest kernel for n queries: 1 << its index.
HWY_INLINE size_t width_index(size_t n) { return n <= 1 ? 0 : n <= 2 ? 1 : n <= 4 ? 2 : 3; }

/// Up to kQueries queries on their way through the cache.
struct Walker {
  std::span<const Query> queries;
  const float* q = nullptr;  ///< as KeyKernels::prepare left it
  QueryState state;

  /// The tokens within [first, last) that some query sees.
  HWY_INLINE uint32_t begin(uint32_t first) const {
    uint32_t out = UINT32_MAX;
    for (const Query& query : queries) out = std::min(out, query.begin);
    return std::max(out, first);
  }
  HWY_INLINE uint32_t end(uint32_t last) const {
    uint32_t out = 0;
    for (const Query& query : queries) out = std::max(out, query.end);
    return std::min(out, last);
  }
};

void clear(const AttentionTask& task, const QueryState& state) {
  std::fill_n(state.highest, kQueries, kLowest);
  std::memset(state.total, 0, kQueries * (1 + padded(task.v_dim)) * sizeof(float));
}

/// By width and edge.
constexpr void (*kWeigh[4][2])(KeyBlock&, const QueryState&) = {{&weigh<1, false>, &weigh<1, true>},
                                                                {&weigh<2, false>, &weigh<2, true>},
                                                                {&weigh<4, false>, &weigh<4, true>},
                                                                {&weigh<8, false>, &weigh<8, true>}};

void visit_block(const AttentionTask& task, Walker& walker, const KeyKernels& keys, const ValueKernels& values,
                 uint32_t from, KeyBlock& block) {
  const size_t n_queries = walker.queries.size(), width = width_index(n_queries), n = size_t{1} << width;
  const uint32_t to = from + static_cast<uint32_t>(kTokens);
  block.tile = task.kv->tile(task.blocks[from / kTokens], task.layer, task.kv_head);
  block.edge = n != n_queries;
  for (size_t c = 0; c < n; ++c) {
    const bool real = c < n_queries;
    block.lo[c] = real ? std::clamp(walker.queries[c].begin, from, to) - from : 0;
    block.hi[c] = real ? std::clamp(walker.queries[c].end, from, to) - from : 0;
    block.edge |= block.lo[c] != 0 || block.hi[c] != kTokens;
  }
  keys.score[width](block.tile, task.k_dim, walker.q, block.weights);
  if (task.softcap > 0) cap_scores(task.softcap, block.weights, n);
  kWeigh[width][block.edge](block, walker.state);
  values.add[width](block, task.v_dim, walker.state.out);
}

/// One chunk of keys for several groups of queries, block by block.
void walk_chunk(const AttentionTask& task, std::span<Walker> walkers, uint32_t chunk) {
  const KeyKernels& keys = kernels_of(task.kv->codec_k()).keys;
  const ValueKernels& values = kernels_of(task.kv->codec_v()).values;
  uint32_t first = chunk * kChunkTokens, last = first + kChunkTokens, begin = last, end = first;
  for (const Walker& walker : walkers) {
    clear(task, walker.state);
    begin = std::min(begin, walker.begin(first));
    end = std::max(end, walker.end(last));
  }
  KeyBlock block;
  for (uint32_t from = begin / kTokens * kTokens; from < end; from += kTokens) {
    for (Walker& walker : walkers) {
      if (walker.begin(from) < walker.end(from + kTokens)) visit_block(task, walker, keys, values, from, block);
    }
  }
}

void prepare(const AttentionTask& task, std::span<const Query> queries, float* q) {
  kernels_of(task.kv->codec_k()).keys.prepare(queries.data(), queries.size(), task.k_dim, task.scale, q);
}

void finish(const AttentionTask& task, std::span<const Query> queries, const QueryState& state) {
  for (size_t c = 0; c < queries.size(); ++c) {
    const float sink = queries[c].sink != nullptr ? std::exp(*queries[c].sink - state.highest[c]) : 0.0f;
    const float inverse = 1.0f / (state.total[c] + sink);
    const float* sums = state.out + c * padded(task.v_dim);
    for (size_t i = 0; i < task.v_dim; ++i) queries[c].out[i] = sums[i] * inverse;
  }
}

void attend(const AttentionTask& task, std::span<const Query> queries, float* scratch) {
  const size_t q_size = q_floats(task), state_size = QueryState::floats(task.v_dim);
  Walker walkers[kMaxQueries / kQueries];
  QueryState totals[kMaxQueries / kQueries];
  size_t n = 0;
  uint32_t begin = UINT32_MAX, end = 0;
  for (size_t c = 0; c < queries.size(); c += kQueries, ++n, scratch += q_size + 2 * state_size) {
    walkers[n] = {queries.subspan(c, std::min(kQueries, queries.size() - c)), scratch, QueryState(scratch + q_size)};
    totals[n] = QueryState(scratch + q_size + state_size);
    prepare(task, walkers[n].queries, scratch);
    clear(task, totals[n]);
    begin = std::min(begin, walkers[n].begin(0));
    end = std::max(end, walkers[n].end(UINT32_MAX));
  }
  for (uint32_t chunk = begin / kChunkTokens; chunk * kChunkTokens < end; ++chunk) {
    walk_chunk(task, {walkers, n}, chunk);
    for (size_t w = 0; w < n; ++w) merge_states(totals[w], walkers[w].state, padded(task.v_dim), kQueries);
  }
  for (size_t w = 0; w < n; ++w) finish(task, walkers[w].queries, totals[w]);
}

void attend_chunk(const AttentionTask& task, std::span<const Query> queries, uint32_t chunk, float* state,
                  float* scratch) {
  Walker walker{queries, scratch, QueryState(state)};
  prepare(task, queries, scratch);
  walk_chunk(task, {&walker, 1}, chunk);
}

void merge_chunks(const AttentionTask& task, std::span<const Query> queries, float* states, uint32_t n_chunks,
                  float* scratch) {
  const QueryState total(scratch);
  clear(task, total);
  for (uint32_t i = 0; i < n_chunks; ++i)
    merge_states(total, QueryState(states + i * QueryState::floats(task.v_dim)), padded(task.v_dim), kQueries);
  finish(task, queries, total);
}

void store_kv_row(const KvStore& kv, uint32_t layer, uint32_t slot, const float* k, const float* v) {
  const compute::KvLayer& dims = kv.shape().layers[layer];
  const StoreFunction store_key = kernels_of(kv.codec_k()).store_key,
                      store_value = kernels_of(kv.codec_v()).store_value;
  for (uint32_t head = 0; head < dims.n_heads; ++head, k += dims.k_dim, v += dims.v_dim) {
    const KvTile tile = kv.tile(slot / static_cast<uint32_t>(kTokens), layer, head);
    store_key(k, dims.k_dim, tile.keys, slot % kTokens);
    store_value(v, dims.v_dim, tile.values, slot % kTokens);
  }
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(attend);
HWY_EXPORT(attend_chunk);
HWY_EXPORT(merge_chunks);
HWY_EXPORT(store_kv_row);

void attend(const AttentionTask& task, std::span<const Query> queries, float* scratch) {
  HWY_DYNAMIC_DISPATCH(attend)(task, queries, scratch);
}

void attend_chunk(const AttentionTask& task, std::span<const Query> queries, uint32_t chunk, float* state,
                  float* scratch) {
  HWY_DYNAMIC_DISPATCH(attend_chunk)(task, queries, chunk, state, scratch);
}

void merge_chunks(const AttentionTask& task, std::span<const Query> queries, float* states, uint32_t n_chunks,
                  float* scratch) {
  HWY_DYNAMIC_DISPATCH(merge_chunks)(task, queries, states, n_chunks, scratch);
}

size_t state_floats(const AttentionTask& task) { return QueryState::floats(task.v_dim); }

size_t attend_floats(const AttentionTask& task) {
  return kMaxQueries / kQueries * (q_floats(task) + 2 * state_floats(task));
}

void store_kv_row(const KvStore& kv, uint32_t layer, uint32_t slot, const float* k, const float* v) {
  HWY_DYNAMIC_DISPATCH(store_kv_row)(kv, layer, slot, k, v);
}

}  // namespace quern::cpu
#endif  // HWY_ONCE
