// Keys and values as floats, f32 or f16 (kv_layout.h): what a model in floats gets, whose products round nothing else.

#if defined(QUERN_CPU_FLOAT_KV_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_CPU_FLOAT_KV_INL_H_
#undef QUERN_CPU_FLOAT_KV_INL_H_
#else
#define QUERN_CPU_FLOAT_KV_INL_H_
#endif

#include <algorithm>
#include <cstring>

#include "lib/cpu/attention/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {

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

/// q: [k_dim][kQueries]
inline void prepare_float(const Query* queries, size_t n, size_t k_dim, float scale, float* q) {
  for (size_t i = 0; i < k_dim; ++i) {
    for (size_t c = 0; c < n; ++c) q[i * kQueries + c] = queries[c].q[i] * scale;
  }
}

template <typename T, size_t kCount>
HWY_INLINE void score_tokens(const T* keys, size_t k_dim, const float* q, float* scores) {
  const DF df;
  for (size_t t = 0; t < kTokens; t += kLanes) {
    VF sums[kCount];
    unrolled<kCount>([&](auto c) QUERN_INLINE_LAMBDA { sums[c] = hn::Zero(df); });
    for (size_t i = 0; i < k_dim; ++i) {
      const VF key = load_as_float(keys + i * kTokens + t);
      const float* factors = q + i * kQueries;
      unrolled<kCount>([&](auto c)
                           QUERN_INLINE_LAMBDA { sums[c] = hn::MulAdd(key, hn::Set(df, factors[c]), sums[c]); });
    }
    unrolled<kCount>([&](auto c) QUERN_INLINE_LAMBDA { hn::StoreU(sums[c], df, scores + c * kTokens + t); });
  }
}

template <typename T, size_t kCount>
void score_float(const KvTile& tile, size_t k_dim, const float* q, float* scores) {
  constexpr size_t kStep = std::min(kCount, kWidest);
  for (size_t c = 0; c < kCount; c += kStep)
    score_tokens<T, kStep>(reinterpret_cast<const T*>(tile.keys), k_dim, q + c, scores + c * kTokens);
}

/// Queries c0 .. c0 + kCount - 1 and the tokens [lo, hi). Stale cells of a block may hold anything and are not touched.
template <typename T, size_t kCount>
HWY_INLINE void add_tokens(const KeyBlock& block, size_t v_padded, size_t c0, uint32_t lo, uint32_t hi, float* out) {
  const DF df;
  const auto* values = reinterpret_cast<const T*>(block.tile.values);
  for (size_t i = 0; i < v_padded; i += kLanes) {
    VF sums[kCount];
    unrolled<kCount>([&](auto c) QUERN_INLINE_LAMBDA { sums[c] = hn::Zero(df); });
    for (size_t t = lo; t < hi; ++t) {
      const VF value = load_as_float(values + t * v_padded + i);
      const float* weights = block.weights + c0 * kTokens + t;
      unrolled<kCount>(
          [&](auto c) QUERN_INLINE_LAMBDA { sums[c] = hn::MulAdd(value, hn::Set(df, weights[c * kTokens]), sums[c]); });
    }
    unrolled<kCount>([&](auto c) QUERN_INLINE_LAMBDA {
      float* to = out + (c0 + c) * v_padded + i;
      const VF before = hn::Mul(hn::LoadU(df, to), hn::Set(df, block.shrink[c0 + c]));
      hn::StoreU(hn::MulAdd(sums[c], hn::Set(df, block.grow[c0 + c]), before), df, to);
    });
  }
}

template <typename T, size_t kCount>
void add_float(const KeyBlock& block, size_t v_dim, float* out) {
  constexpr size_t kStep = std::min(kCount, kWidest);
  if (block.edge) {
    for (size_t c = 0; c < kCount; ++c) add_tokens<T, 1>(block, padded(v_dim), c, block.lo[c], block.hi[c], out);
  } else {
    for (size_t c = 0; c < kCount; c += kStep) add_tokens<T, kStep>(block, padded(v_dim), c, 0, kTokens, out);
  }
}

/// n floats as half precision.
HWY_INLINE void to_half(const float* from, uint16_t* to, size_t n) {
  const DF df;
  const hn::Rebind<hwy::float16_t, DF> df16;
  const hn::Rebind<uint16_t, DF> du16;
  for (size_t i = 0; i < n; i += kLanes) {
    const size_t left = std::min(n - i, kLanes);
    hn::StoreN(hn::BitCast(du16, hn::DemoteTo(df16, hn::LoadN(df, from + i, left))), du16, to + i, left);
  }
}

/// Stores a row of n elements of token `token` into a tile of keys (kKeys) or values.
template <typename T, bool kKeys>
void store_float(const float* row, size_t n, std::byte* tile, size_t token) {
  constexpr size_t kChunk = 64;
  uint16_t halves[kChunk];
  auto* to = reinterpret_cast<T*>(tile) + (kKeys ? token : token * padded(n));
  for (size_t i = 0; i < n; i += kChunk) {
    const size_t count = std::min(kChunk, n - i);
    if constexpr (sizeof(T) == 2) to_half(row + i, halves, count);
    for (size_t j = 0; j < count; ++j) {
      T& place = to[(i + j) * (kKeys ? kTokens : 1)];
      if constexpr (sizeof(T) == 2) {
        place = halves[j];
      } else {
        place = row[i + j];
      }
    }
  }
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUERN_CPU_FLOAT_KV_INL_H_
