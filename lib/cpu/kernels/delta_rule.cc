#include "lib/cpu/kernels/delta_rule.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/kernels/delta_rule.cc"
#include "hwy/foreach_target.h"

#include "lib/cpu/dot-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using DeltaD = hn::CappedTag<float, kDeltaTile>;
using DeltaV = hn::Vec<DeltaD>;

/// Sums along k run in so many chains, element k in chain k % kChains, that additions need not wait for each other.
inline constexpr size_t kChains = 8;

/// f(k, its chain) for all k, and then the sum of the chains in a fixed order.
template <class F>
HWY_INLINE DeltaV sum_along(size_t k_dim, F&& f) {
  DeltaV chains[kChains];
  unrolled<kChains>([&](auto j) QUERN_INLINE_LAMBDA { chains[j] = hn::Zero(DeltaD()); });
  size_t k = 0;
  for (; k + kChains <= k_dim; k += kChains) {
    unrolled<kChains>([&](auto j) QUERN_INLINE_LAMBDA { chains[j] = f(k + j, chains[j]); });
  }
  unrolled<kChains>([&](auto j) QUERN_INLINE_LAMBDA {
    if (k + j < k_dim) chains[j] = f(k + j, chains[j]);
  });
  const DeltaV a = hn::Add(hn::Add(chains[0], chains[4]), hn::Add(chains[2], chains[6]));
  const DeltaV b = hn::Add(hn::Add(chains[1], chains[5]), hn::Add(chains[3], chains[7]));
  return hn::Add(a, b);
}

/// One token and one vector of columns, `column` being the first; n of them exist.
HWY_INLINE void delta_step(const DeltaHead& head, uint32_t row, const float* from, float* to, size_t column, size_t n) {
  const DeltaD d;
  const float *q = head.q + row * head.q_stride, *k = head.k + row * head.k_stride;
  const auto decay = hn::Set(d, head.decay[row * head.decay_stride]);
  const auto rate = hn::Set(d, head.rate[row * head.rate_stride]);
  const auto value = hn::LoadN(d, head.v + row * head.v_stride + column, n);
  const auto known = sum_along(head.k_dim, [&](size_t i, DeltaV sum) QUERN_INLINE_LAMBDA {
    return hn::MulAdd(hn::LoadU(d, from + i * kDeltaTile), hn::Set(d, k[i]), sum);
  });
  const auto change = hn::Mul(rate, hn::NegMulAdd(decay, known, value));
  const auto read = sum_along(head.k_dim, [&](size_t i, DeltaV sum) QUERN_INLINE_LAMBDA {
    const auto kept = hn::Mul(decay, hn::LoadU(d, from + i * kDeltaTile));
    const auto now = hn::MulAdd(hn::Set(d, k[i]), change, kept);
    hn::StoreU(now, d, to + i * kDeltaTile);
    return hn::MulAdd(now, hn::Set(d, q[i]), sum);
  });
  hn::StoreN(hn::Mul(hn::Set(d, head.scale), read), d, head.out + row * head.out_stride + column, n);
}

void delta_rule_head(const DeltaHead& head, std::span<const uint32_t> rows, const float* from, float* to) {
  const size_t lanes = hn::Lanes(DeltaD()), tile_floats = head.k_dim * kDeltaTile;
  for (size_t tile = 0; tile < delta_tiles(head.v_dim); ++tile, to += tile_floats) {
    if (from == nullptr) std::fill_n(to, tile_floats, 0.0f);
    const float* source = from == nullptr ? to : from + tile * tile_floats;
    for (const uint32_t row : rows) {
      for (size_t i = 0; i < kDeltaTile; i += lanes) {
        const size_t column = tile * kDeltaTile + i;
        const size_t n = column < head.v_dim ? std::min(lanes, head.v_dim - column) : 0;
        delta_step(head, row, source + i, to + i, column, n);
      }
      source = to;
    }
  }
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(delta_rule_head);

void delta_rule_head(const DeltaHead& head, std::span<const uint32_t> rows, const float* from, float* to) {
  HWY_DYNAMIC_DISPATCH(delta_rule_head)(head, rows, from, to);
}

}  // namespace quern::cpu
#endif  // HWY_ONCE
