// Searches for the scales of blocks that are being quantized, 16 groups of elements side by side, one in each lane.
//
// A group is what shares a scale: 16 or 32 elements. What a search looks for is the least weighted squared error
//   sum of w * (x - value)^2,      w: the importance of an element, 1 where none is given.
// Lanes never meet and no multiply-add is fused, so the blocks that come out do not depend on the vectors' width.

#if defined(QUERN_QUANT_SEARCH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_SEARCH_INL_H_
#undef QUERN_QUANT_SEARCH_INL_H_
#else
#define QUERN_QUANT_SEARCH_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "lib/base/half.h"
#include "lib/quant/iq4_codebook.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kGroups = 16;  ///< side by side in a sheet
using DS = hn::CappedTag<float, kGroups>;
using VS = hn::Vec<DS>;

/// One number of each group.
struct PerGroup {
  HWY_ALIGN float of[kGroups];
};

/// kSize elements of each of 16 groups: element e of group g is at [e * 16 + g].
template <size_t kSize>
struct Sheet {
  static constexpr size_t kElems = kSize;
  HWY_ALIGN float x[kSize * kGroups];
  HWY_ALIGN float w[kSize * kGroups];

  /// Groups that lie one behind the other; those past n_groups are zeros. weights may be nullptr.
  void load(const float* from, const float* weights, size_t n_groups) {
    for (size_t g = 0; g < kGroups; ++g) {
      for (size_t e = 0; e < kSize; ++e) {
        x[e * kGroups + g] = g < n_groups ? from[g * kSize + e] : 0.0f;
        w[e * kGroups + g] = g < n_groups && weights != nullptr ? weights[g * kSize + e] : 1.0f;
      }
    }
  }
};

/// body(first): once for every vector of groups, with the number of its first group.
template <class Body>
HWY_INLINE void for_each_vector(Body&& body) {
  for (size_t first = 0; first < kGroups; first += hn::Lanes(DS())) body(first);
}

/// The whole numbers of [kLow, kHigh].
template <int kLow, int kHigh>
struct Integers {
  static constexpr float kLimit = kHigh > -kLow ? kHigh : -kLow;
  static constexpr bool kSymmetric = kLow == -kHigh;
  static HWY_INLINE VS nearest(VS v) {
    const DS d;
    return hn::Round(hn::Clamp(v, hn::Set(d, static_cast<float>(kLow)), hn::Set(d, static_cast<float>(kHigh))));
  }
};

/// The values of kIq4Codebook.
struct Iq4Levels {
  static constexpr float kLimit = 127;
  static constexpr bool kSymmetric = false;
  static HWY_INLINE VS nearest(VS v) {
    const DS d;
    const VS twice = hn::Floor(hn::Mul(v, hn::Set(d, 2.0f)));
    const VS index = hn::Add(hn::Clamp(twice, hn::Set(d, -256.0f), hn::Set(d, 255.0f)), hn::Set(d, 256.0f));
    return hn::GatherIndex(d, kIq4Nearest.data(), hn::ConvertTo(hn::RebindToSigned<DS>(), index));
  }
};

/// The values of MXFP4's codes, doubled: 0 1 2 3 4 6 8 12 and their negatives.
struct Mxfp4Levels {
  static HWY_INLINE VS nearest(VS v) {
    const DS d;
    const VS size = hn::Abs(v);
    VS level = hn::Round(hn::Min(size, hn::Set(d, 4.0f)));
    level = hn::IfThenElse(hn::Ge(size, hn::Set(d, 5.0f)), hn::Set(d, 6.0f), level);
    level = hn::IfThenElse(hn::Ge(size, hn::Set(d, 7.0f)), hn::Set(d, 8.0f), level);
    level = hn::IfThenElse(hn::Ge(size, hn::Set(d, 10.0f)), hn::Set(d, 12.0f), level);
    return hn::CopySign(level, v);
  }
};

/// The larger of the magnitudes of each group.
template <size_t kSize>
HWY_INLINE VS largest(const Sheet<kSize>& sheet, size_t first) {
  const DS d;
  VS out = hn::Zero(d);
  for (size_t e = 0; e < kSize; ++e) out = hn::Max(out, hn::Abs(hn::Load(d, sheet.x + e * kGroups + first)));
  return out;
}

/// a / b, and 0 where b is 0.
HWY_INLINE VS quotient(VS a, VS b) {
  const auto zero = hn::Eq(b, hn::Zero(DS()));
  return hn::IfThenZeroElse(zero, hn::Div(a, hn::IfThenElse(zero, hn::Set(DS(), 1.0f), b)));
}

/// Scales for value = scale * level: of the tried ones, that which leaves the least error. Tried are those that bring
/// the largest magnitude to kLimit + step * k, |k| <= n_steps, as a positive and as a negative level; each is then
/// replaced by the one that suits its levels best (least squares).
template <class Levels, size_t kSize>
void fit_scale(const Sheet<kSize>& sheet, int n_steps, float step, PerGroup& scale) {
  const DS d;
  for_each_vector([&](size_t first) HWY_ATTR {
    const VS highest = largest(sheet, first);
    VS best = hn::Zero(d), best_scale = hn::Zero(d);
    for (int k = n_steps; k >= -n_steps; --k) {
      const VS up = quotient(hn::Set(d, Levels::kLimit + step * static_cast<float>(k)), highest);
      for (int sign = Levels::kSymmetric ? 1 : 0; sign < 2; ++sign) {
        const VS inverse = sign ? up : hn::Neg(up);
        VS sxl = hn::Zero(d), sll = hn::Zero(d);
        for (size_t e = 0; e < kSize; ++e) {
          const VS x = hn::Load(d, sheet.x + e * kGroups + first), w = hn::Load(d, sheet.w + e * kGroups + first);
          const VS level = Levels::nearest(hn::Mul(x, inverse)), wl = hn::Mul(w, level);
          sxl = hn::Add(sxl, hn::Mul(wl, x));
          sll = hn::Add(sll, hn::Mul(wl, level));
        }
        const VS fitted = quotient(sxl, sll), gain = hn::Mul(fitted, sxl);
        const auto better = hn::Gt(gain, best);
        best = hn::IfThenElse(better, gain, best);
        best_scale = hn::IfThenElse(better, fitted, best_scale);
      }
    }
    hn::Store(best_scale, d, scale.of + first);
  });
}

/// The error of value = scale * level with the nearest levels; and, where wanted, the least-squares sums of those:
/// sxl = sum of w * x * level, sll = sum of w * level^2.
template <class Levels, size_t kSize>
void measure_scale(const Sheet<kSize>& sheet, const PerGroup& scale, PerGroup& error, PerGroup* sxl = nullptr,
                   PerGroup* sll = nullptr) {
  const DS d;
  for_each_vector([&](size_t first) HWY_ATTR {
    const VS a = hn::Load(d, scale.of + first), inverse = quotient(hn::Set(d, 1.0f), a);
    VS sum = hn::Zero(d), xl = hn::Zero(d), ll = hn::Zero(d);
    for (size_t e = 0; e < kSize; ++e) {
      const VS x = hn::Load(d, sheet.x + e * kGroups + first), w = hn::Load(d, sheet.w + e * kGroups + first);
      const VS level = Levels::nearest(hn::Mul(x, inverse)), miss = hn::Sub(x, hn::Mul(a, level));
      sum = hn::Add(sum, hn::Mul(w, hn::Mul(miss, miss)));
      if (sxl == nullptr) continue;
      const VS wl = hn::Mul(w, level);
      xl = hn::Add(xl, hn::Mul(wl, x));
      ll = hn::Add(ll, hn::Mul(wl, level));
    }
    hn::Store(sum, d, error.of + first);
    if (sxl == nullptr) return;
    hn::Store(xl, d, sxl->of + first);
    hn::Store(ll, d, sll->of + first);
  });
}

/// The half-precision number nearest to v that is finite, and not zero unless v is.
HWY_INLINE uint16_t half_of(float v) {
  const uint16_t sign = v < 0 ? 0x8000 : 0;
  const uint16_t magnitude = static_cast<uint16_t>(base::f32_to_f16(v) & 0x7FFF);
  if (v != 0 && magnitude == 0) return sign | 1;
  return static_cast<uint16_t>(sign | (magnitude > 0x7BFF ? 0x7BFF : magnitude));
}

/// `half` and its neighbours in magnitude: step -1, 0, 1. Stays where there is none.
HWY_INLINE uint16_t neighbour(uint16_t half, int step) {
  const int magnitude = (half & 0x7FFF) + step;
  return magnitude < 1 || magnitude > 0x7BFF ? half : static_cast<uint16_t>((half & 0x8000) | magnitude);
}

/// The nearest levels: of group g, at levels + g * kSize.
template <class Levels, size_t kSize>
void choose_levels(const Sheet<kSize>& sheet, const PerGroup& scale, int8_t* levels) {
  const DS d;
  HWY_ALIGN float row[kGroups];
  for (size_t e = 0; e < kSize; ++e) {
    for_each_vector([&](size_t first) HWY_ATTR {
      const VS inverse = quotient(hn::Set(d, 1.0f), hn::Load(d, scale.of + first));
      hn::Store(Levels::nearest(hn::Mul(hn::Load(d, sheet.x + e * kGroups + first), inverse)), d, row + first);
    });
    for (size_t g = 0; g < kGroups; ++g) levels[g * kSize + e] = static_cast<int8_t>(row[g]);
  }
}

/// The sums that the least-squares fit of value = scale * code - min consists of.
struct AffineSums {
  VS w, l, ll, x, xl;  ///< of w, w * code, w * code^2, w * x, w * x * code

  /// Adds one element.
  HWY_INLINE void add(VS weight, VS value, VS code) {
    const VS wl = hn::Mul(weight, code);
    w = hn::Add(w, weight);
    l = hn::Add(l, wl);
    ll = hn::Add(ll, hn::Mul(wl, code));
    x = hn::Add(x, hn::Mul(weight, value));
    xl = hn::Add(xl, hn::Mul(wl, value));
  }
  static HWY_INLINE AffineSums zero() {
    const VS z = hn::Zero(DS());
    return {z, z, z, z, z};
  }
};

/// A least-squares fit of value = scale * code - min and what it takes off the sum of w * x^2.
struct AffineFit {
  VS scale, min, gain;
};

/// The fit to given codes. Where these are all the same, or min would be negative and must not: the better of the fits
/// that have only a scale or only a minimum.
template <bool kSigned>
HWY_INLINE AffineFit solve(const AffineSums& s) {
  const DS d;
  const VS zero = hn::Zero(d), det = hn::Sub(hn::Mul(s.w, s.ll), hn::Mul(s.l, s.l));
  AffineFit both{quotient(hn::Sub(hn::Mul(s.w, s.xl), hn::Mul(s.x, s.l)), det),
                 quotient(hn::Sub(hn::Mul(s.l, s.xl), hn::Mul(s.ll, s.x)), det), zero};
  both.gain = hn::Sub(hn::Mul(both.scale, s.xl), hn::Mul(both.min, s.x));
  const VS alone = quotient(s.xl, s.ll);
  VS low = hn::Neg(quotient(s.x, s.w));
  if (!kSigned) low = hn::Max(low, zero);
  const VS scale_gain = hn::Mul(alone, s.xl), min_gain = hn::Neg(hn::Mul(low, s.x));
  const auto by_min = hn::Gt(min_gain, scale_gain);
  const AffineFit one{hn::IfThenZeroElse(by_min, alone), hn::IfThenElseZero(by_min, low),
                      hn::Max(min_gain, scale_gain)};
  auto use_one = hn::Le(det, hn::Mul(hn::Mul(s.w, s.ll), hn::Set(d, 1e-6f)));
  if (!kSigned) use_one = hn::Or(use_one, hn::Lt(both.min, zero));
  return {hn::IfThenElse(use_one, one.scale, both.scale), hn::IfThenElse(use_one, one.min, both.min),
          hn::IfThenElse(use_one, one.gain, both.gain)};
}

/// Scale and minimum for value = scale * code - min, codes 0 .. kMax. kSigned: min may be negative. Tried are codes of
/// the range [low, high] of the group stretched to kMax + first_step + step * k, 0 <= k < n_steps, each then replaced
/// by its least-squares fit; and in the end what the codes of the best fit lead to.
template <int kMax, bool kSigned, size_t kSize>
void fit_affine(const Sheet<kSize>& sheet, float first_step, float step, int n_steps, PerGroup& scale, PerGroup& min) {
  constexpr int kPolish = 4;
  const DS d;
  const VS zero = hn::Zero(d), top = hn::Set(d, static_cast<float>(kMax));
  for_each_vector([&](size_t first) HWY_ATTR {
    VS low = hn::Load(d, sheet.x + first), high = low;
    for (size_t e = 1; e < kSize; ++e) {
      const VS x = hn::Load(d, sheet.x + e * kGroups + first);
      low = hn::Min(low, x);
      high = hn::Max(high, x);
    }
    if (!kSigned) low = hn::Min(low, zero);
    const VS range = hn::Sub(high, low);
    AffineFit best{zero, hn::Neg(low), hn::Set(d, -1.0f)};
    for (int k = 0; k < n_steps + kPolish; ++k) {
      VS inverse = quotient(hn::Set(d, kMax + first_step + step * static_cast<float>(k)), range), offset = hn::Neg(low);
      if (k >= n_steps) {
        inverse = quotient(hn::Set(d, 1.0f), best.scale);
        offset = best.min;
      }
      AffineSums s = AffineSums::zero();
      for (size_t e = 0; e < kSize; ++e) {
        const VS x = hn::Load(d, sheet.x + e * kGroups + first), w = hn::Load(d, sheet.w + e * kGroups + first);
        s.add(w, x, hn::Round(hn::Clamp(hn::Mul(hn::Add(x, offset), inverse), zero, top)));
      }
      const AffineFit fit = solve<kSigned>(s);
      const auto better = hn::Gt(fit.gain, best.gain);
      best = {hn::IfThenElse(better, fit.scale, best.scale), hn::IfThenElse(better, fit.min, best.min),
              hn::IfThenElse(better, fit.gain, best.gain)};
    }
    hn::Store(best.scale, d, scale.of + first);
    hn::Store(best.min, d, min.of + first);
  });
}

/// The sums of AffineSums, stored.
struct StoredSums {
  PerGroup w, l, ll, x, xl;
};

/// The error of value = scale * code - min with the nearest codes and, where wanted, the least-squares sums of those.
template <int kMax, size_t kSize>
void measure_affine(const Sheet<kSize>& sheet, const PerGroup& scale, const PerGroup& min, PerGroup& error,
                    StoredSums* sums = nullptr) {
  const DS d;
  const VS zero = hn::Zero(d), top = hn::Set(d, static_cast<float>(kMax));
  for_each_vector([&](size_t first) HWY_ATTR {
    const VS a = hn::Load(d, scale.of + first), b = hn::Load(d, min.of + first);
    const VS inverse = quotient(hn::Set(d, 1.0f), a);
    VS sum = zero;
    AffineSums s = AffineSums::zero();
    for (size_t e = 0; e < kSize; ++e) {
      const VS x = hn::Load(d, sheet.x + e * kGroups + first), w = hn::Load(d, sheet.w + e * kGroups + first);
      const VS code = hn::Round(hn::Clamp(hn::Mul(hn::Add(x, b), inverse), zero, top));
      const VS miss = hn::Sub(hn::Add(x, b), hn::Mul(a, code));
      sum = hn::Add(sum, hn::Mul(w, hn::Mul(miss, miss)));
      if (sums != nullptr) s.add(w, x, code);
    }
    hn::Store(sum, d, error.of + first);
    if (sums == nullptr) return;
    hn::Store(s.w, d, sums->w.of + first);
    hn::Store(s.l, d, sums->l.of + first);
    hn::Store(s.ll, d, sums->ll.of + first);
    hn::Store(s.x, d, sums->x.of + first);
    hn::Store(s.xl, d, sums->xl.of + first);
  });
}

/// The nearest codes: of group g, at codes + g * kSize.
template <int kMax, size_t kSize>
void choose_codes(const Sheet<kSize>& sheet, const PerGroup& scale, const PerGroup& min, int8_t* codes) {
  const DS d;
  const VS zero = hn::Zero(d), top = hn::Set(d, static_cast<float>(kMax));
  HWY_ALIGN float row[kGroups];
  for (size_t e = 0; e < kSize; ++e) {
    for_each_vector([&](size_t first) HWY_ATTR {
      const VS inverse = quotient(hn::Set(d, 1.0f), hn::Load(d, scale.of + first));
      const VS shifted = hn::Add(hn::Load(d, sheet.x + e * kGroups + first), hn::Load(d, min.of + first));
      hn::Store(hn::Round(hn::Clamp(hn::Mul(shifted, inverse), zero, top)), d, row + first);
    });
    for (size_t g = 0; g < kGroups; ++g) codes[g * kSize + e] = static_cast<int8_t>(row[g]);
  }
}

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
