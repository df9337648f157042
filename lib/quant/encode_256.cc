// Quantizing into the formats of 256 elements whose sub-blocks have integer scales of their own: the K formats, IQ4_XS.
//
// First every sub-block gets the scale (and minimum) that suits it. Then the block's scale d (and dmin) is set so that
// the largest fits the integers, and in turns the integers move to those of their neighbours that leave the least
// error, and d (and dmin) to their least-squares fit. The best state seen is kept.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/quant/encode_256.cc"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lib/quant/all_formats-inl.h"
#include "lib/quant/search_256-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {
namespace {

constexpr int kTurns = 3;
/// The search begins anew with the first d (and dmin) times each of these. A small one helps blocks with a lone
/// outlier, which signed levels can clip by turning a scale's sign.
constexpr float kScaledStarts[] = {1.0f, 0.97f, 1.03f, 0.75f};
constexpr float kAffineStarts[] = {1.0f, 1.03f};

/// Moves every scale to the best of its neighbours and of its opposite (levels reach further to one side).
template <class Levels, size_t kSubs, int kLow, size_t kSize>
void move_scales(const Sheet<kSize>& sheet, ScaledState<kSubs>& state) {
  const PerGroup from = state.scale;
  ScaledState<kSubs> tried = state;
  std::fill_n(state.error.of, kGroups, INFINITY);
  for (const auto& [sign, step] : {std::pair{1, 0}, {1, -1}, {1, 1}, {-1, 0}}) {
    for (size_t g = 0; g < kGroups; ++g) {
      tried.scale.of[g] = std::clamp(static_cast<float>(sign) * from.of[g] + static_cast<float>(step),
                                     static_cast<float>(kLow), static_cast<float>(-kLow - 1));
    }
    measure_scale<Levels>(sheet, tried.product(), tried.error);
    for (size_t g = 0; g < kGroups; ++g) {
      if (!(tried.error.of[g] < state.error.of[g])) continue;
      state.error.of[g] = tried.error.of[g];
      state.scale.of[g] = tried.scale.of[g];
    }
  }
}

/// d to the least-squares fit of the levels that the state leads to.
template <class Levels, size_t kSubs, size_t kSize>
void refit(const Sheet<kSize>& sheet, ScaledState<kSubs>& state) {
  PerGroup error, sxl, sll;
  measure_scale<Levels>(sheet, state.product(), error, &sxl, &sll);
  for (size_t g = 0; g < kGroups; ++g) {
    sxl.of[g] *= state.scale.of[g];
    sll.of[g] *= state.scale.of[g] * state.scale.of[g];
  }
  for (size_t b = 0; b < kBlocks<kSubs>; ++b) {
    const float over = block_sum<kSubs>(sll, b);
    if (over > 0) state.d[b] = base::f16_to_f32(half_of(block_sum<kSubs>(sxl, b) / over));
  }
}

/// The fitted scales in whole numbers, the largest of a block about kLow / stretch.
template <size_t kSubs, int kLow>
ScaledState<kSubs> start_scaled(const PerGroup& fitted, float stretch) {
  ScaledState<kSubs> state;
  for (size_t g = 0; g < kGroups; g += kSubs) {
    const float extreme = *std::max_element(fitted.of + g, fitted.of + g + kSubs,
                                            [](float x, float y) { return std::fabs(x) < std::fabs(y); });
    const float d = base::f16_to_f32(half_of(stretch * extreme / static_cast<float>(kLow)));
    state.d[g / kSubs] = d;
    for (size_t s = g; s < g + kSubs; ++s) state.scale.of[s] = d == 0 ? 0 : std::nearbyint(fitted.of[s] / d);
  }
  return state;
}

template <class Levels, size_t kSubs, int kLow, size_t kSize>
ScaledState<kSubs> search_scaled(const Sheet<kSize>& sheet, int n_steps) {
  PerGroup fitted;
  fit_scale<Levels>(sheet, n_steps, Levels::kLimit / 80, fitted);
  ScaledState<kSubs> best;
  std::fill_n(best.error.of, kGroups, INFINITY);
  for (const float stretch : kScaledStarts) {
    ScaledState<kSubs> state = start_scaled<kSubs, kLow>(fitted, stretch);
    for (int turn = 0; turn < kTurns; ++turn) {
      if (turn > 0) refit<Levels>(sheet, state);
      move_scales<Levels, kSubs, kLow>(sheet, state);
      keep_better(state, best);
    }
  }
  return best;
}

/// Scales are kept in bits that hold [kLow, -kLow - 1].
template <class Format, class Levels, size_t kSize, int kLow, int kSteps>
void encode_scaled(const float* x, const float* weights, size_t n, std::byte* blocks) {
  constexpr size_t kSubs = 256 / kSize;
  Sheet<kSize> sheet;
  HWY_ALIGN int8_t levels[kSize * kGroups];
  for (size_t i = 0; i < n; i += kSize * kGroups) {
    const size_t n_groups = std::min(kGroups, (n - i) / kSize);
    sheet.load(x + i, weights == nullptr ? nullptr : weights + i, n_groups);
    const ScaledState<kSubs> state = search_scaled<Levels, kSubs, kLow>(sheet, kSteps);
    choose_levels<Levels>(sheet, state.product(), levels);
    for (size_t b = 0; b < n_groups / kSubs; ++b, blocks += sizeof(typename Format::Block)) {
      int8_t scales[kSubs];
      for (size_t s = 0; s < kSubs; ++s) scales[s] = static_cast<int8_t>(state.scale.of[b * kSubs + s]);
      typename Format::Block block;
      Format::pack(levels + 256 * b, scales, base::f32_to_f16(state.d[b]), block);
      store(block, blocks);
    }
  }
}

/// value = (d * scale) * code - (dmin * min), scale and min whole numbers of [0, kTop].
template <size_t kSubs>
struct AffineState {
  float d[kBlocks<kSubs>], dmin[kBlocks<kSubs>];
  PerGroup scale, min, error;

  PerGroup scale_product() const {
    PerGroup out;
    for (size_t g = 0; g < kGroups; ++g) out.of[g] = d[g / kSubs] * scale.of[g];
    return out;
  }
  PerGroup min_product() const {
    PerGroup out;
    for (size_t g = 0; g < kGroups; ++g) out.of[g] = dmin[g / kSubs] * min.of[g];
    return out;
  }
};

/// Moves every scale and minimum to the best of its neighbours.
template <int kMax, size_t kSubs, int kTop, size_t kSize>
void move_scales(const Sheet<kSize>& sheet, AffineState<kSubs>& state) {
  const PerGroup scale = state.scale, min = state.min;
  AffineState<kSubs> tried = state;
  const auto within = [](float v) { return std::clamp(v, 0.0f, static_cast<float>(kTop)); };
  std::fill_n(state.error.of, kGroups, INFINITY);
  for (const int scale_step : {0, -1, 1}) {
    for (const int min_step : {0, -1, 1}) {
      for (size_t g = 0; g < kGroups; ++g) {
        tried.scale.of[g] = within(scale.of[g] + static_cast<float>(scale_step));
        tried.min.of[g] = within(min.of[g] + static_cast<float>(min_step));
      }
      measure_affine<kMax>(sheet, tried.scale_product(), tried.min_product(), tried.error);
      for (size_t g = 0; g < kGroups; ++g) {
        if (!(tried.error.of[g] < state.error.of[g])) continue;
        state.error.of[g] = tried.error.of[g];
        state.scale.of[g] = tried.scale.of[g];
        state.min.of[g] = tried.min.of[g];
      }
    }
  }
}

/// d and dmin to the least-squares fit of the codes that the state leads to.
template <int kMax, size_t kSubs, size_t kSize>
void refit(const Sheet<kSize>& sheet, AffineState<kSubs>& state) {
  PerGroup error;
  StoredSums sums;
  measure_affine<kMax>(sheet, state.scale_product(), state.min_product(), error, &sums);
  for (size_t b = 0; b < kBlocks<kSubs>; ++b) {
    double ss = 0, sm = 0, mm = 0, xs = 0, xm = 0;  // s: scale * code, m: min
    for (size_t g = b * kSubs; g < (b + 1) * kSubs; ++g) {
      const double s = state.scale.of[g], m = state.min.of[g];
      ss += s * s * sums.ll.of[g];
      sm += s * m * sums.l.of[g];
      mm += m * m * sums.w.of[g];
      xs += s * sums.xl.of[g];
      xm += m * sums.x.of[g];
    }
    const double det = ss * mm - sm * sm;
    if (!(det > 1e-9 * ss * mm)) continue;
    const auto d = static_cast<float>((xs * mm - xm * sm) / det), dmin = static_cast<float>((xs * sm - xm * ss) / det);
    if (d > 0) state.d[b] = base::f16_to_f32(half_of(d));
    if (dmin > 0) state.dmin[b] = base::f16_to_f32(half_of(dmin));
  }
}

/// Takes over the blocks in which `state` has a smaller error.
template <size_t kSubs>
void keep_better(const AffineState<kSubs>& state, AffineState<kSubs>& best) {
  for (size_t b = 0; b < kBlocks<kSubs>; ++b) {
    if (!(block_sum<kSubs>(state.error, b) < block_sum<kSubs>(best.error, b))) continue;
    best.d[b] = state.d[b];
    best.dmin[b] = state.dmin[b];
    std::copy_n(state.scale.of + b * kSubs, kSubs, best.scale.of + b * kSubs);
    std::copy_n(state.min.of + b * kSubs, kSubs, best.min.of + b * kSubs);
    std::copy_n(state.error.of + b * kSubs, kSubs, best.error.of + b * kSubs);
  }
}

/// The fitted numbers (none below 0) in whole numbers times one of half precision, the largest about kTop / stretch.
template <size_t kSubs, int kTop>
float start_affine(const float* fitted, float stretch, float* whole) {
  const float d =
      base::f16_to_f32(half_of(stretch * *std::max_element(fitted, fitted + kSubs) / static_cast<float>(kTop)));
  for (size_t s = 0; s < kSubs; ++s) whole[s] = d == 0 ? 0 : std::nearbyint(fitted[s] / d);
  return d;
}

template <int kMax, size_t kSubs, int kTop, size_t kSize>
AffineState<kSubs> search_affine(const Sheet<kSize>& sheet, float first_step, int n_steps) {
  PerGroup scale, min;
  fit_affine<kMax, false>(sheet, first_step, 0.1f, n_steps, scale, min);
  for (float& s : scale.of) s = std::max(s, 0.0f);
  AffineState<kSubs> best;
  std::fill_n(best.error.of, kGroups, INFINITY);
  for (const float stretch : kAffineStarts) {
    AffineState<kSubs> state;
    for (size_t g = 0; g < kGroups; g += kSubs) {
      state.d[g / kSubs] = start_affine<kSubs, kTop>(scale.of + g, stretch, state.scale.of + g);
      state.dmin[g / kSubs] = start_affine<kSubs, kTop>(min.of + g, stretch, state.min.of + g);
    }
    for (int turn = 0; turn < kTurns; ++turn) {
      if (turn > 0) refit<kMax>(sheet, state);
      move_scales<kMax, kSubs, kTop>(sheet, state);
      keep_better(state, best);
    }
  }
  return best;
}

template <class Format, int kMax, size_t kSize, int kTop>
void encode_affine(const float* x, const float* weights, size_t n, std::byte* blocks, float first_step, int n_steps) {
  constexpr size_t kSubs = 256 / kSize;
  Sheet<kSize> sheet;
  HWY_ALIGN int8_t codes[kSize * kGroups];
  for (size_t i = 0; i < n; i += kSize * kGroups) {
    const size_t n_groups = std::min(kGroups, (n - i) / kSize);
    sheet.load(x + i, weights == nullptr ? nullptr : weights + i, n_groups);
    const AffineState<kSubs> state = search_affine<kMax, kSubs, kTop>(sheet, first_step, n_steps);
    choose_codes<kMax>(sheet, state.scale_product(), state.min_product(), codes);
    for (size_t b = 0; b < n_groups / kSubs; ++b, blocks += sizeof(typename Format::Block)) {
      uint8_t scales[kSubs], mins[kSubs];
      for (size_t s = 0; s < kSubs; ++s) {
        scales[s] = static_cast<uint8_t>(state.scale.of[b * kSubs + s]);
        mins[s] = static_cast<uint8_t>(state.min.of[b * kSubs + s]);
      }
      typename Format::Block block;
      Format::pack(codes + 256 * b, scales, mins, base::f32_to_f16(state.d[b]), base::f32_to_f16(state.dmin[b]), block);
      store(block, blocks);
    }
  }
}

}  // namespace

void encode_q2_k(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_affine<Q2_K, 3, 16, 15>(x, weights, n, blocks, -0.9f, 20);
}
void encode_q4_k(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_affine<Q4_K, 15, 32, 63>(x, weights, n, blocks, -1.2f, 24);
}
void encode_q5_k(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_affine<Q5_K, 31, 32, 63>(x, weights, n, blocks, -1.2f, 24);
}
void encode_q3_k(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_scaled<Q3_K, Integers<-4, 3>, 16, -32, 20>(x, weights, n, blocks);
}
void encode_q6_k(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_scaled<Q6_K, Integers<-32, 31>, 16, -128, 10>(x, weights, n, blocks);
}
void encode_iq4_xs(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_scaled<IQ4_XS, Iq4Levels, 32, -32, 12>(x, weights, n, blocks);
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
QUERN_ENCODE(encode_q2_k, Q2_K)
QUERN_ENCODE(encode_q3_k, Q3_K)
QUERN_ENCODE(encode_q4_k, Q4_K)
QUERN_ENCODE(encode_q5_k, Q5_K)
QUERN_ENCODE(encode_q6_k, Q6_K)
QUERN_ENCODE(encode_iq4_xs, IQ4_XS)
#undef QUERN_ENCODE

}  // namespace quern::quant
#endif  // HWY_ONCE
