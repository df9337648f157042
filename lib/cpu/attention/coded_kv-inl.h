// Keys and values as integer codes (kv_layout.h): products of 16-bit numbers, two to a lane, summed exactly over 32.

#if defined(QUERN_CPU_CODED_KV_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_CPU_CODED_KV_INL_H_
#undef QUERN_CPU_CODED_KV_INL_H_
#else
#define QUERN_CPU_CODED_KV_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "lib/base/half.h"
#include "lib/cpu/attention/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {

inline constexpr size_t kPairs = kKvGroup / 2;
static_assert(kTokens == kKvGroup, "keys and values have groups of one shape");
/// Vectors that are summed at a time: with 8 queries 16 sums, which leaves room for the factors.
inline constexpr size_t kColumnVectors = kKvGroup / kLanes < 2 ? 1 : 2;

/// The pairs of 16-bit numbers of columns column .. column + kLanes - 1 in row `row` of a group. Columns are tokens and
/// rows pairs of elements in keys, the other way round in values.
template <KvCodec kCodec, bool kKeys>
HWY_INLINE DotV load_pairs(const uint8_t* group, size_t row, size_t column) {
  const DotD di32;
  const hn::Repartition<int16_t, DotD> di16;
  if constexpr (kCodec == KvCodec::i16) {
    return hn::LoadU(di32, reinterpret_cast<const int32_t*>(group) + row * kKvGroup + column);
  } else if constexpr (kCodec == KvCodec::i8) {
    const hn::Rebind<int8_t, decltype(di16)> di8;
    const auto* codes = reinterpret_cast<const int8_t*>(group) + (row * kKvGroup + column) * 2;
    return hn::BitCast(di32, hn::PromoteTo(di16, hn::LoadU(di8, codes)));
  } else {
    const hn::Rebind<uint8_t, decltype(di16)> du8;
    const size_t byte = kKeys ? (row % 8 * kKvGroup + column) * 2 : (row * 16 + column % 16) * 2;
    const auto both = hn::PromoteTo(di16, hn::LoadU(du8, group + byte));
    const bool upper = kKeys ? row >= 8 : column >= 16;
    const auto code = upper ? hn::ShiftRight<4>(both) : hn::And(both, hn::Set(di16, int16_t{15}));
    return hn::BitCast(di32, hn::Sub(code, hn::Set(di16, int16_t{8})));
  }
}

/// The scales of tokens t .. t + kLanes - 1.
template <KvCodec kCodec>
HWY_INLINE VF load_scales(const uint8_t* group, size_t t) {
  const hn::Rebind<uint16_t, DotD> du16;
  const auto* scales = reinterpret_cast<const uint16_t*>(group + group_code_bytes(kCodec)) + t;
  return hn::BitCast(DF(), hn::ShiftLeft<16>(hn::PromoteTo(DotD(), hn::LoadU(du16, scales))));
}

/// 32 floats as multiples of a scale.
struct Coded {
  alignas(64) int16_t codes[kKvGroup];
};

HWY_INLINE void round_to_codes(const float* x, float inverse, Coded& out) {
  const DF df;
  const hn::Rebind<int16_t, DF> di16;
  for (size_t i = 0; i < kKvGroup; i += kLanes) {
    const auto code = hn::NearestInt(hn::Mul(hn::LoadU(df, x + i), hn::Set(df, inverse)));
    hn::StoreU(hn::DemoteTo(di16, code), di16, out.codes + i);
  }
}

HWY_INLINE float largest_magnitude(const float* x) {
  const DF df;
  VF largest = hn::Zero(df);
  for (size_t i = 0; i < kKvGroup; i += kLanes) largest = hn::Max(largest, hn::Abs(hn::LoadU(df, x + i)));
  return hn::ReduceMax(df, largest);
}

/// Elements group * 32 .. of a row of n, zeros behind its end.
HWY_INLINE const float* group_of(const float* row, size_t group, size_t n, float (&copy)[kKvGroup]) {
  const size_t begin = group * kKvGroup;
  if (begin + kKvGroup <= n) return row + begin;
  std::fill(std::copy(row + begin, row + n, copy), copy + kKvGroup, 0.0f);
  return copy;
}

/// q: int32 [groups][16 pairs][kQueries], then float [groups][kQueries], the scales.
void prepare_coded(const Query* queries, size_t n, size_t k_dim, float scale, float* q) {
  const size_t n_groups = padded(k_dim) / kKvGroup;
  auto* pairs = reinterpret_cast<int32_t*>(q);
  float* scales = q + n_groups * kPairs * kQueries;
  float copy[kKvGroup];
  Coded coded;
  for (size_t g = 0; g < n_groups; ++g) {
    for (size_t c = 0; c < n; ++c) {
      const float* x = group_of(queries[c].q, g, k_dim, copy);
      const float largest = largest_magnitude(x);
      round_to_codes(x, largest > 0 ? kMaxKvCode / largest : 0.0f, coded);
      scales[g * kQueries + c] = largest / kMaxKvCode * scale;
      for (size_t i = 0; i < kPairs; ++i)
        std::memcpy(pairs + (g * kPairs + i) * kQueries + c, coded.codes + 2 * i, sizeof(int32_t));
    }
  }
}

template <KvCodec kCodec, bool kVnni, size_t kCount>
HWY_INLINE void score_group(const uint8_t* group, const int32_t* pairs, const float* q_scales, bool first,
                            float* scores) {
  const DF df;
  for (size_t t = 0; t < kTokens; t += kColumnVectors * kLanes) {
    DotV sums[kColumnVectors][kCount];
    unrolled<kColumnVectors * kCount>([&](auto i)
                                          QUERN_INLINE_LAMBDA { sums[i / kCount][i % kCount] = hn::Zero(DotD()); });
    for (size_t row = 0; row < kPairs; ++row) {
      DotV keys[kColumnVectors];
      unrolled<kColumnVectors>(
          [&](auto v) QUERN_INLINE_LAMBDA { keys[v] = load_pairs<kCodec, true>(group, row, t + v * kLanes); });
      unrolled<kCount>([&](auto c) QUERN_INLINE_LAMBDA {
        unrolled<kColumnVectors>([&](auto v) QUERN_INLINE_LAMBDA {
          sums[v][c] = dot2<kVnni>(keys[v], pairs + row * kQueries + c, sums[v][c]);
        });
      });
    }
    unrolled<kColumnVectors>([&](auto v) QUERN_INLINE_LAMBDA {
      const VF scale = load_scales<kCodec>(group, t + v * kLanes);
      unrolled<kCount>([&](auto c) QUERN_INLINE_LAMBDA {
        float* to = scores + c * kTokens + t + v * kLanes;
        const VF before = first ? hn::Zero(df) : hn::LoadU(df, to);
        const VF product = hn::Mul(hn::ConvertTo(df, sums[v][c]), scale);
        hn::StoreU(hn::MulAdd(product, hn::Set(df, q_scales[c]), before), df, to);
      });
    });
  }
}

template <KvCodec kCodec, bool kVnni, size_t kCount>
void score_coded(const KvTile& tile, size_t k_dim, const float* q, float* scores) {
  const size_t n_groups = padded(k_dim) / kKvGroup;
  const auto* pairs = reinterpret_cast<const int32_t*>(q);
  const float* scales = q + n_groups * kPairs * kQueries;
  const auto* group = reinterpret_cast<const uint8_t*>(tile.keys);
  constexpr size_t kStep = std::min(kCount, kWidest);
  for (size_t g = 0; g < n_groups; ++g, group += group_bytes(kCodec)) {
    for (size_t c = 0; c < kCount; c += kStep) {
      score_group<kCodec, kVnni, kStep>(group, pairs + g * kPairs * kQueries + c, scales + g * kQueries + c, g == 0,
                                        scores + c * kTokens);
    }
  }
}

/// Values of this codec have one scale for all groups of a token, which spares the coding of the weights anew.
template <KvCodec kCodec>
inline constexpr bool kRowScale = kCodec == KvCodec::i16;

/// The weights of some queries times the scales of the values, as codes relative to the largest scale.
struct WeightCodes {
  alignas(64) int32_t pairs[kQueries * kPairs];  ///< [query][pair of tokens]
  float unit[kQueries];                          ///< a code stands for so much
};

/// Of the scales that query c sees.
template <KvCodec kCodec>
HWY_INLINE float largest_scale(const KeyBlock& block, const uint8_t* group, size_t c) {
  const DF df;
  VF largest = hn::Zero(df);
  for (size_t t = 0; t < kTokens; t += kLanes) {
    VF scale = load_scales<kCodec>(group, t);
    if (block.edge) scale = hn::IfThenElseZero(visible(t, block.lo[c], block.hi[c]), scale);
    largest = hn::Max(largest, hn::Abs(scale));
  }
  return hn::ReduceMax(df, largest);
}

template <KvCodec kCodec, size_t kCount>
HWY_INLINE void code_weights(const KeyBlock& block, const uint8_t* group, WeightCodes& out) {
  const DF df;
  const hn::Rebind<int16_t, DF> di16;
  float largest = 0;
  for (size_t c = 0; c < kCount; ++c) {
    if (c == 0 || block.edge) largest = largest_scale<kCodec>(block, group, c);
    const float inverse = largest > 0 ? kMaxKvCode / largest : 0.0f;
    auto* codes = reinterpret_cast<int16_t*>(out.pairs + c * kPairs);
    for (size_t t = 0; t < kTokens; t += kLanes) {
      VF scale = hn::Mul(load_scales<kCodec>(group, t), hn::Set(df, inverse));
      if (block.edge) scale = hn::IfThenElseZero(visible(t, block.lo[c], block.hi[c]), scale);
      const VF weight = hn::Mul(hn::LoadU(df, block.weights + c * kTokens + t), scale);
      hn::StoreU(hn::DemoteTo(di16, hn::NearestInt(weight)), di16, codes + t);
    }
    out.unit[c] = largest / kMaxKvCode * block.grow[c];
  }
}

/// Queries c0 .. c0 + kCount - 1 and one group of values; out: of the group's elements of query 0.
template <KvCodec kCodec, bool kVnni, size_t kCount>
HWY_INLINE void add_group(const KeyBlock& block, const uint8_t* group, const WeightCodes& weights, size_t c0,
                          float* out, size_t out_stride) {
  const DF df;
  for (size_t i = 0; i < kKvGroup; i += kColumnVectors * kLanes) {
    DotV sums[kColumnVectors][kCount];
    unrolled<kColumnVectors * kCount>([&](auto j)
                                          QUERN_INLINE_LAMBDA { sums[j / kCount][j % kCount] = hn::Zero(DotD()); });
    for (size_t row = 0; row < kPairs; ++row) {
      DotV values[kColumnVectors];
      unrolled<kColumnVectors>(
          [&](auto v) QUERN_INLINE_LAMBDA { values[v] = load_pairs<kCodec, false>(group, row, i + v * kLanes); });
      unrolled<kCount>([&](auto c) QUERN_INLINE_LAMBDA {
        unrolled<kColumnVectors>([&](auto v) QUERN_INLINE_LAMBDA {
          sums[v][c] = dot2<kVnni>(values[v], weights.pairs + (c0 + c) * kPairs + row, sums[v][c]);
        });
      });
    }
    unrolled<kColumnVectors>([&](auto v) QUERN_INLINE_LAMBDA {
      unrolled<kCount>([&](auto c) QUERN_INLINE_LAMBDA {
        float* to = out + (c0 + c) * out_stride + i + v * kLanes;
        const VF before = hn::Mul(hn::LoadU(df, to), hn::Set(df, block.shrink[c0 + c]));
        hn::StoreU(hn::MulAdd(hn::ConvertTo(df, sums[v][c]), hn::Set(df, weights.unit[c0 + c]), before), df, to);
      });
    });
  }
}

template <KvCodec kCodec, bool kVnni, size_t kCount>
void add_coded(const KeyBlock& block, size_t v_dim, float* out) {
  constexpr size_t kStep = std::min(kCount, kWidest);
  const auto* group = reinterpret_cast<const uint8_t*>(block.tile.values);
  WeightCodes weights;
  for (size_t g = 0; g < padded(v_dim) / kKvGroup; ++g, group += group_bytes(kCodec)) {
    if (g == 0 || !kRowScale<kCodec>) code_weights<kCodec, kCount>(block, group, weights);
    for (size_t c = 0; c < kCount; c += kStep)
      add_group<kCodec, kVnni, kStep>(block, group, weights, c, out + g * kKvGroup, padded(v_dim));
  }
}

/// The element of the largest magnitude, with its sign.
HWY_INLINE float largest_element(const float* x) {
  const DF df;
  VF high = hn::Zero(df), low = hn::Zero(df);
  for (size_t i = 0; i < kKvGroup; i += kLanes) {
    high = hn::Max(high, hn::LoadU(df, x + i));
    low = hn::Min(low, hn::LoadU(df, x + i));
  }
  const float most = hn::ReduceMax(df, high), least = hn::ReduceMin(df, low);
  return -least > most ? least : most;
}

/// The scale that makes codes of a group: its largest element becomes the largest code, or -8 with i4, where the scale
/// may be negative. Rounded to bfloat16, upwards where no code may exceed the largest.
template <KvCodec kCodec>
HWY_INLINE uint16_t choose_scale(const float* x) {
  constexpr float kLargestCode = kCodec == KvCodec::i16 ? kMaxKvCode : 127;
  const float scale = kCodec == KvCodec::i4 ? largest_element(x) / -8 : largest_magnitude(x) / kLargestCode;
  if (!(std::fabs(scale) <= std::numeric_limits<float>::max() / 2)) return 0x7FC0;  // NaN: what went wrong shows
  if (std::fabs(scale) < 1e-30f) return 0;
  if (kCodec == KvCodec::i4) return base::f32_to_bf16(scale);
  uint32_t bits;
  std::memcpy(&bits, &scale, sizeof bits);
  return static_cast<uint16_t>((bits + 0xFFFF) >> 16);
}

/// The scale of a group of a row of n elements, or of all its groups.
template <KvCodec kCodec, bool kKeys>
HWY_INLINE uint16_t scale_of_group(const float* row, size_t g, size_t n) {
  float copy[kKvGroup];
  if (kKeys || !kRowScale<kCodec>) return choose_scale<kCodec>(group_of(row, g, n, copy));
  uint16_t largest = 0;  // positive numbers and NaN, in the order of their bits
  for (size_t i = 0; i < padded(n) / kKvGroup; ++i)
    largest = std::max(largest, choose_scale<kCodec>(group_of(row, i, n, copy)));
  return largest;
}

/// Stores a row of n elements of token `token` into a tile of keys (kKeys) or values.
template <KvCodec kCodec, bool kKeys>
void store_coded(const float* row, size_t n, std::byte* tile, size_t token) {
  float copy[kKvGroup];
  Coded coded;
  auto* group = reinterpret_cast<uint8_t*>(tile);
  for (size_t g = 0; g < padded(n) / kKvGroup; ++g, group += group_bytes(kCodec)) {
    const float* x = group_of(row, g, n, copy);
    const uint16_t scale = scale_of_group<kCodec, kKeys>(row, g, n);
    const float step = base::bf16_to_f32(scale);
    round_to_codes(x, step != 0 ? 1 / step : 0.0f, coded);
    std::memcpy(group + group_code_bytes(kCodec) + token * sizeof scale, &scale, sizeof scale);
    for (size_t e = 0; e < kKvGroup; ++e) {
      const size_t place = kKeys ? (e / 2 * kKvGroup + token) * 2 + e % 2 : (token / 2 * kKvGroup + e) * 2 + token % 2;
      if constexpr (kCodec == KvCodec::i16) {
        std::memcpy(group + 2 * place, coded.codes + e, 2);
      } else if constexpr (kCodec == KvCodec::i8) {
        group[place] = static_cast<uint8_t>(coded.codes[e]);
      } else if (e < 16) {  // with its partner 16 elements on
        const size_t byte = kKeys ? place : (token / 2 * 16 + e) * 2 + token % 2;
        const int lower = std::min(coded.codes[e] + 8, 15), upper = std::min(coded.codes[e + 16] + 8, 15);
        group[byte] = static_cast<uint8_t>(lower | upper << 4);
      }
    }
  }
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUERN_CPU_CODED_KV_INL_H_
