// The softmax of attention, block of keys by block of keys, for several queries side by side.

#if defined(QUERN_CPU_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_CPU_SOFTMAX_INL_H_
#undef QUERN_CPU_SOFTMAX_INL_H_
#else
#define QUERN_CPU_SOFTMAX_INL_H_
#endif

#include "hwy/contrib/math/math-inl.h"
#include "lib/cpu/attention/walk.h"
#include "lib/cpu/dot-inl.h"
#include "lib/cpu/sum-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {

using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;
inline constexpr size_t kLanes = HWY_MAX_LANES_D(DF);
inline constexpr size_t kTokens = compute::kKvBlockTokens;
/// Queries that share registers: 8 need 16 sums and some more.
inline constexpr size_t kWidest = (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3) || HWY_ARCH_ARM_A64 ? 8 : 4;

/// 2^x for x <= 0, to 1e-7 of the result; below -126 it stays at 2^-126. The polynomial is the best one of degree 6 for
/// the relative error on [-1/2, 1/2].
template <class D>
HWY_INLINE hn::Vec<D> exp2_of_negative(D d, hn::Vec<D> x) {
  const hn::RebindToSigned<D> di;
  x = hn::Max(x, hn::Set(d, -126.0f));
  const auto whole = hn::NearestInt(x);
  const auto f = hn::Sub(x, hn::ConvertTo(d, whole));
  auto p = hn::MulAdd(hn::Set(d, 1.5353362e-4f), f, hn::Set(d, 1.3398874e-3f));
  p = hn::MulAdd(p, f, hn::Set(d, 9.618437e-3f));
  p = hn::MulAdd(p, f, hn::Set(d, 5.5503324e-2f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.24022648f));
  p = hn::MulAdd(p, f, hn::Set(d, 0.6931472f));
  p = hn::MulAdd(p, f, hn::Set(d, 1.0f));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, p), hn::ShiftLeft<23>(whole)));
}

/// Lanes of the tokens t .. of a block that lie in [lo, hi).
HWY_INLINE hn::Mask<DF> visible(size_t t, uint32_t lo, uint32_t hi) {
  const hn::ScalableTag<int32_t> di;
  const auto token = hn::Iota(di, static_cast<int32_t>(t));
  const auto above = hn::Ge(token, hn::Set(di, static_cast<int32_t>(lo)));
  return hn::RebindMask(DF(), hn::And(above, hn::Lt(token, hn::Set(di, static_cast<int32_t>(hi)))));
}

/// Caps the scores of the first n queries, c * tanh(score / c).
HWY_INLINE void cap_scores(float softcap, float* scores, size_t n) {
  const DF df;
  for (size_t i = 0; i < n * kTokens; i += kLanes) {
    const VF ratio = hn::Div(hn::LoadU(df, scores + i), hn::Set(df, softcap));
    hn::StoreU(hn::Mul(hn::Set(df, softcap), hn::Tanh(df, ratio)), df, scores + i);
  }
}

/// Takes later keys into a state's highest scores and totals: top, sum are theirs. What was summed up before counts
/// `shrink` times from now on, what the later keys add counts `grow` times.
HWY_INLINE void update_totals(const QueryState& state, const float* top, const float* sum, float* shrink, float* grow) {
  const hn::CappedTag<float, kQueries> df;
  const auto log2e = hn::Set(df, kLog2E);
  for (size_t c = 0; c < kQueries; c += hn::Lanes(df)) {
    const auto before = hn::LoadU(df, state.highest + c), now = hn::LoadU(df, top + c), both = hn::Max(before, now);
    const auto down = exp2_of_negative(df, hn::Mul(hn::Sub(before, both), log2e));
    const auto up = exp2_of_negative(df, hn::Mul(hn::Sub(now, both), log2e));
    hn::StoreU(both, df, state.highest + c);
    hn::StoreU(down, df, shrink + c);
    hn::StoreU(up, df, grow + c);
    const auto total = hn::Mul(hn::LoadU(df, state.total + c), down);
    hn::StoreU(hn::MulAdd(hn::LoadU(df, sum + c), up, total), df, state.total + c);
  }
}

/// Of kCount queries: the highest score of the block.
template <size_t kCount, bool kEdge>
HWY_INLINE void find_highest(KeyBlock& block, float* top) {
  const DF df;
  unrolled<kCount>([&](auto c) QUERN_INLINE_LAMBDA {
    float* scores = block.weights + c * kTokens;
    VF highest = hn::Set(df, kLowest);
    unrolled<kTokens / kLanes>([&](auto v) QUERN_INLINE_LAMBDA {
      VF score = hn::LoadU(df, scores + v * kLanes);
      if constexpr (kEdge) {
        score = hn::IfThenElse(visible(v * kLanes, block.lo[c], block.hi[c]), score, hn::Set(df, kLowest));
        hn::StoreU(score, df, scores + v * kLanes);
      }
      highest = hn::Max(highest, score);
    });
    top[c] = hn::ReduceMax(df, highest);
  });
}

/// Turns scores into weights relative to the highest one. sum: of each query's weights.
template <size_t kCount, bool kEdge>
HWY_INLINE void exponentiate(KeyBlock& block, const float* top, float* sum) {
  const DF df;
  unrolled<kCount>([&](auto c) QUERN_INLINE_LAMBDA {
    float* scores = block.weights + c * kTokens;
    VF total[kSumVectors];
    unrolled<kSumVectors>([&](auto v) QUERN_INLINE_LAMBDA { total[v] = hn::Zero(df); });
    unrolled<kTokens / kLanes>([&](auto v) QUERN_INLINE_LAMBDA {
      const VF below = hn::Sub(hn::LoadU(df, scores + v * kLanes), hn::Set(df, top[c]));
      VF weight = exp2_of_negative(df, hn::Mul(below, hn::Set(df, kLog2E)));
      if constexpr (kEdge) weight = hn::IfThenElseZero(visible(v * kLanes, block.lo[c], block.hi[c]), weight);
      hn::StoreU(weight, df, scores + v * kLanes);
      total[v % kSumVectors] = hn::Add(total[v % kSumVectors], weight);
    });
    sum[c] = sum_of(total);
  });
}

/// Turns the scores of kCount queries into weights, and works out by how much the block counts against what came before
/// it: out = out * shrink + grow * (weights * values).
template <size_t kCount, bool kEdge>
void weigh(KeyBlock& block, const QueryState& state) {
  float top[kQueries] = {}, sum[kQueries] = {};
  find_highest<kCount, kEdge>(block, top);
  exponentiate<kCount, kEdge>(block, top, sum);
  update_totals(state, top, sum, block.shrink, block.grow);
}

/// Adds what `part` says of later keys to `state`.
HWY_INLINE void merge_states(const QueryState& state, const QueryState& part, size_t v_padded, size_t n) {
  const DF df;
  float shrink[kQueries], grow[kQueries];
  update_totals(state, part.highest, part.total, shrink, grow);
  for (size_t c = 0; c < n; ++c) {
    for (size_t i = c * v_padded; i < (c + 1) * v_padded; i += kLanes) {
      const VF old = hn::Mul(hn::LoadU(df, state.out + i), hn::Set(df, shrink[c]));
      hn::StoreU(hn::MulAdd(hn::LoadU(df, part.out + i), hn::Set(df, grow[c]), old), df, state.out + i);
    }
  }
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUERN_CPU_SOFTMAX_INL_H_
