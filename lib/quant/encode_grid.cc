// Quantizing into the formats whose levels are points of a grid: IQ1, IQ2 and IQ3.
//
// First every sub-block gets the scale that suits it, of a few that bring its largest element to different heights.
// Then the block's scale d is set so that the largest fits the integers, and in turns the integers (odd ones: a stored
// s stands for 2 s + 1) move to those of their neighbours that leave the least error, and d to its least-squares fit.
// The best state seen is kept. Every trial looks for the nearest points anew: that is what the time goes into.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/quant/encode_grid.cc"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "lib/quant/all_formats-inl.h"
#include "lib/quant/grid_points-inl.h"
#include "lib/quant/search_256-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {
namespace {

constexpr int kTurns = 2;
/// The search begins anew with the first d times each of these.
constexpr float kStarts[] = {1.0f, 0.93f, 1.08f};

/// What a choice of levels comes to: the error, and the least-squares sums of w * x * level and of w * level^2.
struct Measures {
  PerGroup error, xl, ll;
};

/// Chooses the levels for value = scale * level.
template <class Points, size_t kSize>
void choose_points(const Sheet<kSize>& sheet, const PerGroup& scale, Chosen<kSize>& chosen) {
  const DS d;
  for_each_vector([&](size_t first) HWY_ATTR {
    Points::choose(sheet, first, quotient(hn::Set(d, 1.0f), hn::Load(d, scale.of + first)), chosen);
  });
}

template <class Points, size_t kSize>
void measure_points(const Sheet<kSize>& sheet, const PerGroup& scale, Measures& out) {
  Chosen<kSize> chosen;
  choose_points<Points>(sheet, scale, chosen);
  const DS d;
  for_each_vector([&](size_t first) HWY_ATTR {
    const VS a = hn::Load(d, scale.of + first);
    VS error = hn::Zero(d), xl = hn::Zero(d), ll = hn::Zero(d);
    for (size_t at = first; at < kSize * kGroups; at += kGroups) {
      const VS x = hn::Load(d, sheet.x + at), w = hn::Load(d, sheet.w + at), level = hn::Load(d, chosen.level + at);
      const VS miss = hn::Sub(x, hn::Mul(a, level)), wl = hn::Mul(w, level);
      error = hn::Add(error, hn::Mul(w, hn::Mul(miss, miss)));
      xl = hn::Add(xl, hn::Mul(wl, x));
      ll = hn::Add(ll, hn::Mul(wl, level));
    }
    hn::Store(error, d, out.error.of + first);
    hn::Store(xl, d, out.xl.of + first);
    hn::Store(ll, d, out.ll.of + first);
  });
}

/// Scales of the sub-blocks: of those that bring the largest element to kHighest times each of `heights`, that which
/// leaves the least error with the scale that suits its levels best; and once more, what that one leads to.
template <class Points, size_t kSize>
PerGroup fit_points(const Sheet<kSize>& sheet, std::span<const float> heights) {
  const DS d;
  PerGroup highest, tried, best{}, best_gain{};
  for_each_vector([&](size_t first) HWY_ATTR { hn::Store(largest(sheet, first), d, highest.of + first); });
  Measures found;
  for (size_t k = 0; k <= heights.size(); ++k) {
    for (size_t g = 0; g < kGroups; ++g) {
      tried.of[g] = k < heights.size() ? highest.of[g] / (Points::kHighest * heights[k]) : best.of[g];
    }
    measure_points<Points>(sheet, tried, found);
    for (size_t g = 0; g < kGroups; ++g) {
      if (!(found.xl.of[g] > 0)) continue;
      const float scale = found.xl.of[g] / found.ll.of[g], gain = scale * found.xl.of[g];
      if (!(gain > best_gain.of[g])) continue;
      best_gain.of[g] = gain;
      best.of[g] = scale;
    }
  }
  return best;
}

/// Moves every scale to the best of its neighbours; the measures are those of the best.
template <class Points, size_t kSubs, int kTop, size_t kSize>
void move_scales(const Sheet<kSize>& sheet, ScaledState<kSubs>& state, Measures& best) {
  const PerGroup from = state.scale;
  ScaledState<kSubs> tried = state;
  Measures found;
  std::fill_n(state.error.of, kGroups, INFINITY);
  for (const float step : {0.0f, -2.0f, 2.0f}) {
    for (size_t g = 0; g < kGroups; ++g) {
      tried.scale.of[g] = std::clamp(from.of[g] + step, 1.0f, static_cast<float>(kTop));
    }
    measure_points<Points>(sheet, tried.product(), found);
    for (size_t g = 0; g < kGroups; ++g) {
      if (!(found.error.of[g] < state.error.of[g])) continue;
      state.error.of[g] = found.error.of[g];
      state.scale.of[g] = tried.scale.of[g];
      best.xl.of[g] = found.xl.of[g];
      best.ll.of[g] = found.ll.of[g];
    }
  }
}

/// `unit` times the half-precision number nearest to v / unit.
float in_halves(float v, float unit) { return unit * base::f16_to_f32(half_of(v / unit)); }

/// d to the least-squares fit of the levels that were measured.
template <size_t kSubs>
void refit(const Measures& measures, float unit, ScaledState<kSubs>& state) {
  for (size_t b = 0; b < kBlocks<kSubs>; ++b) {
    float xl = 0, ll = 0;
    for (size_t g = b * kSubs; g < (b + 1) * kSubs; ++g) {
      xl += state.scale.of[g] * measures.xl.of[g];
      ll += state.scale.of[g] * state.scale.of[g] * measures.ll.of[g];
    }
    if (xl > 0) state.d[b] = in_halves(xl / ll, unit);
  }
}

/// The fitted scales in odd whole numbers, the largest of a block about kTop / stretch.
template <size_t kSubs, int kTop>
ScaledState<kSubs> start_odd(const PerGroup& fitted, float unit, float stretch) {
  ScaledState<kSubs> state;
  for (size_t g = 0; g < kGroups; g += kSubs) {
    const float d = in_halves(stretch * *std::max_element(fitted.of + g, fitted.of + g + kSubs) / kTop, unit);
    state.d[g / kSubs] = d;
    for (size_t s = g; s < g + kSubs; ++s) {
      const float odd = d == 0 ? 1 : 2 * std::nearbyint((fitted.of[s] / d - 1) / 2) + 1;
      state.scale.of[s] = std::clamp(odd, 1.0f, static_cast<float>(kTop));
    }
  }
  return state;
}

/// d and odd numbers. Where nothing is better than zeros, d is 0.
template <class Points, size_t kSubs, int kTop, size_t kSize>
ScaledState<kSubs> search_odd(const Sheet<kSize>& sheet, float unit, std::span<const float> heights) {
  const PerGroup fitted = fit_points<Points>(sheet, heights);
  ScaledState<kSubs> best{};
  Measures measures{};
  std::fill_n(best.scale.of, kGroups, 1.0f);
  for (size_t g = 0; g < kGroups; ++g) {
    for (size_t at = g; at < kSize * kGroups; at += kGroups) {
      best.error.of[g] += sheet.w[at] * sheet.x[at] * sheet.x[at];
    }
  }
  for (const float stretch : kStarts) {
    ScaledState<kSubs> state = start_odd<kSubs, kTop>(fitted, unit, stretch);
    for (int turn = 0; turn < kTurns; ++turn) {
      if (turn > 0) refit(measures, unit, state);
      move_scales<Points, kSubs, kTop>(sheet, state, measures);
      keep_better(state, best);
    }
  }
  return best;
}

/// Least squares leaves values too small by the share of the error: sum of w * x * value < sum of w * x^2. With so few
/// bits that is a twentieth and more, in the same direction in every layer, and costs a model more than the error
/// tells. So d grows until the sums are equal, by kMost at most, for the levels chosen before.
template <size_t kSubs, size_t kSize>
void undo_shrinking(const Sheet<kSize>& sheet, const Chosen<kSize>& chosen, float unit, ScaledState<kSubs>& state) {
  constexpr float kMost = 1.2f;
  const PerGroup scale = state.product();
  PerGroup xx{}, xy{};
  for (size_t at = 0; at < kSize * kGroups; ++at) {
    const size_t g = at % kGroups;
    const float wx = sheet.w[at] * sheet.x[at];
    xx.of[g] += wx * sheet.x[at];
    xy.of[g] += wx * (scale.of[g] * chosen.level[at]);
  }
  for (size_t b = 0; b < kBlocks<kSubs>; ++b) {
    const float whole = block_sum<kSubs>(xx, b), kept = block_sum<kSubs>(xy, b);
    if (kept > 0 && whole > kept) state.d[b] = in_halves(state.d[b] * std::min(whole / kept, kMost), unit);
  }
}

/// Packs block b of a sheet.
template <class Format, class Points, size_t kSubs, size_t kSize>
void pack_block(const ScaledState<kSubs>& state, const Chosen<kSize>& chosen, size_t b, float unit, std::byte* to) {
  constexpr size_t kDims = Points::kDims, kPointsOfSub = kSize / kDims;
  uint16_t points[256 / kDims];
  uint8_t signs[32] = {}, scales[kSubs];
  for (size_t s = 0; s < kSubs; ++s) {
    const size_t g = b * kSubs + s;
    scales[s] = static_cast<uint8_t>((static_cast<int>(state.scale.of[g]) - 1) / 2);
    for (size_t p = 0; p < kPointsOfSub; ++p) {
      points[s * kPointsOfSub + p] = static_cast<uint16_t>(chosen.point[p * kGroups + g]);
    }
    for (size_t e = 0; e < kSize; ++e) {
      const bool minus = Points::kSigned ? chosen.level[e * kGroups + g] < 0 : chosen.minus[e / 8 * kGroups + g] != 0;
      signs[(s * kSize + e) / 8] |= static_cast<uint8_t>((minus ? 1 : 0) << (e % 8));
    }
  }
  typename Format::Block block;
  Format::pack(points, signs, scales, base::f32_to_f16(state.d[b] / unit), block);
  store(block, to);
}

/// value = (d * unit * (2 s + 1)) * level, s of kBits bits. `heights`: see fit_points.
template <class Format, class Points, size_t kSize, int kBits>
void encode_points(const float* x, const float* weights, size_t n, std::byte* blocks, float unit,
                   std::span<const float> heights) {
  constexpr size_t kSubs = 256 / kSize;
  constexpr int kTop = (2 << kBits) - 1;
  Sheet<kSize> sheet;
  Chosen<kSize> chosen;
  for (size_t i = 0; i < n; i += kSize * kGroups) {
    const size_t n_groups = std::min(kGroups, (n - i) / kSize);
    sheet.load(x + i, weights == nullptr ? nullptr : weights + i, n_groups);
    ScaledState<kSubs> state = search_odd<Points, kSubs, kTop>(sheet, unit, heights);
    choose_points<Points>(sheet, state.product(), chosen);
    undo_shrinking(sheet, chosen, unit, state);
    for (size_t b = 0; b < n_groups / kSubs; ++b, blocks += sizeof(typename Format::Block)) {
      pack_block<Format, Points>(state, chosen, b, unit, blocks);
    }
  }
}

using PointsIq2Xxs = SignedPoints<kGridIq2Xxs, kHalvesIq2Xxs, kIq2Values, true>;
using PointsIq2Xs = SignedPoints<kGridIq2Xs, kHalvesIq2Xs, kIq2Values, true>;
using PointsIq2S = SignedPoints<kGridIq2S, kHalvesIq2S, kIq2Values, false>;
using PointsIq3Xxs = SignedPoints<kGridIq3Xxs, kHalvesIq3Xxs, kIq3XxsValues, true>;
using PointsIq3S = SignedPoints<kGridIq3S, kHalvesIq3S, kIq3SValues, false>;

constexpr float kHeightsIq1[] = {0.9f, 1.2f, 1.5f, 1.8f, 2.2f, 2.8f};
constexpr float kHeightsIq2[] = {0.45f, 0.6f, 0.7f, 0.8f, 0.9f, 1.0f, 1.15f, 1.35f};
constexpr float kHeightsIq3[] = {0.75f, 0.82f, 0.88f, 0.94f, 1.0f, 1.06f, 1.15f};

}  // namespace

void encode_iq3_s(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_points<IQ3_S, PointsIq3S, 32, 4>(x, weights, n, blocks, 1.0f, kHeightsIq3);
}
void encode_iq3_xxs(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_points<IQ3_XXS, PointsIq3Xxs, 32, 4>(x, weights, n, blocks, 0.25f, kHeightsIq3);
}
void encode_iq2_s(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_points<IQ2_S, PointsIq2S, 16, 4>(x, weights, n, blocks, 0.125f, kHeightsIq2);
}
void encode_iq2_xs(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_points<IQ2_XS, PointsIq2Xs, 16, 4>(x, weights, n, blocks, 0.125f, kHeightsIq2);
}
void encode_iq2_xxs(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_points<IQ2_XXS, PointsIq2Xxs, 32, 4>(x, weights, n, blocks, 0.125f, kHeightsIq2);
}
void encode_iq1_m(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_points<IQ1_M, ShiftedPoints<false>, 16, 3>(x, weights, n, blocks, 1.0f, kHeightsIq1);
}
void encode_iq1_s(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_points<IQ1_S, ShiftedPoints<true>, 32, 3>(x, weights, n, blocks, 1.0f, kHeightsIq1);
}

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::quant {

#define QUERN_ENCODE(name, Format)                                                         \
  HWY_EXPORT(name);                                                                        \
  void Format::encode(const float* x, const float* weights, size_t n, std::byte* blocks) { \
    HWY_DYNAMIC_DISPATCH(name)(x, weights, n, blocks);                                     \
  }
QUERN_ENCODE(encode_iq3_s, IQ3_S)
QUERN_ENCODE(encode_iq3_xxs, IQ3_XXS)
QUERN_ENCODE(encode_iq2_s, IQ2_S)
QUERN_ENCODE(encode_iq2_xs, IQ2_XS)
QUERN_ENCODE(encode_iq2_xxs, IQ2_XXS)
QUERN_ENCODE(encode_iq1_m, IQ1_M)
QUERN_ENCODE(encode_iq1_s, IQ1_S)
#undef QUERN_ENCODE

}  // namespace quern::quant
#endif  // HWY_ONCE
