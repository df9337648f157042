// Elements to points of a grid, side by side: a lane is a sub-block, as in search-inl.h.
//
// The distance from a target to a point is a sum over coordinates, so what the halves of points add to it is tabulated
// once per target, and a point then takes one addition: all points of the grid are tried, and the nearest is found,
// whatever the weights.

#if defined(QUERN_QUANT_GRID_POINTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_GRID_POINTS_INL_H_
#undef QUERN_QUANT_GRID_POINTS_INL_H_
#else
#define QUERN_QUANT_GRID_POINTS_INL_H_
#endif

#include <array>
#include <limits>
#include <type_traits>

#include "lib/quant/grids.h"
#include "lib/quant/search-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

/// The levels that sub-blocks of kSize elements get, and what they are made of.
template <size_t kSize>
struct Chosen {
  HWY_ALIGN float level[kSize * kGroups];      ///< value = scale * level
  HWY_ALIGN float point[kSize / 4 * kGroups];  ///< number of the point; part p of group g at [p * 16 + g]
  HWY_ALIGN float minus[kSize / 8 * kGroups];  ///< 1: delta is negative; of 8 elements each
};

/// What the digits of half a point add to the distance: of half h at [h * lanes].
template <class Halves>
HWY_INLINE void tabulate(const VS* target, const VS* weight, const float* values, float* table) {
  const DS d;
  const size_t lanes = hn::Lanes(d);
  hn::Store(hn::Zero(d), d, table);
  size_t size = 1;
  for (size_t i = 0; i < Halves::kDims / 2; ++i, size *= Halves::kRadix) {
    for (size_t digit = Halves::kRadix; digit-- > 0;) {  // 0 last: it changes what the others build on
      const VS miss = hn::Sub(target[i], hn::Set(d, values[digit]));
      const VS more = hn::Mul(weight[i], hn::Mul(miss, miss));
      for (size_t h = 0; h < size; ++h) {
        hn::Store(hn::Add(hn::Load(d, table + h * lanes), more), d, table + (digit * size + h) * lanes);
      }
    }
  }
}

struct Nearest {
  VS point, distance;  ///< its number; the sum of weight * (target - coordinate)^2
};

template <class Halves>
HWY_NOINLINE Nearest nearest_point(const Halves& halves, const VS* target, const VS* weight, const float* values) {
  const DS d;
  const size_t lanes = hn::Lanes(d);
  HWY_ALIGN float lower[Halves::kTable * kGroups];
  HWY_ALIGN float upper[Halves::kTable * kGroups];
  tabulate<Halves>(target, weight, values, lower);
  tabulate<Halves>(target + Halves::kDims / 2, weight + Halves::kDims / 2, values, upper);
  const VS one = hn::Set(d, 1.0f);
  VS point = hn::Zero(d);
  Nearest best{point, hn::Set(d, std::numeric_limits<float>::infinity())};
  for (size_t h = 0; h < Halves::kTable; ++h) {
    const VS rest = hn::Load(d, upper + h * lanes);
    for (size_t p = halves.upper_begin[h]; p < halves.upper_begin[h + 1]; ++p) {
      const VS distance = hn::Add(rest, hn::Load(d, lower + halves.lower[p] * lanes));
      const auto nearer = hn::Lt(distance, best.distance);
      best.distance = hn::Min(distance, best.distance);
      best.point = hn::IfThenElse(nearer, point, best.point);
      point = hn::Add(point, one);
    }
  }
  return best;
}

/// body(i, v) for the coordinates of points.
template <class Halves, size_t kCount, class Body>
HWY_INLINE void for_coordinates(const Grid<kCount>& grid, VS point, const float* values, Body&& body) {
  const DS d;
  const hn::RebindToSigned<DS> di;
  const auto spread =
      hn::GatherIndex(di, reinterpret_cast<const int32_t*>(grid.points.data()), hn::ConvertTo(di, point));
  for (size_t i = 0; i < Halves::kDims; ++i) {
    const auto digit = hn::And(hn::ShiftRightSame(spread, static_cast<int>(i % 4 * 8 + i / 4 * 4)), hn::Set(di, 15));
    body(i, hn::GatherIndex(d, values, digit));
  }
}

template <size_t kCount>
constexpr std::array<float, kCount> to_floats(const int8_t (&values)[kCount]) {
  std::array<float, kCount> out{};
  for (size_t i = 0; i < kCount; ++i) out[i] = values[i];
  return out;
}

/// IQ2 and IQ3: points hold magnitudes. kEven: of 8 elements an even number must be negative.
template <auto& kGrid, auto& kHalves, auto& kDigitValues, bool kEven>
struct SignedPoints {
  using Halves = std::remove_cvref_t<decltype(kHalves)>;
  static constexpr auto kValues = to_floats(kDigitValues);
  static constexpr float kLowest = kValues.front(), kHighest = kValues.back();
  static constexpr size_t kDims = Halves::kDims;
  static constexpr bool kSigned = true;

  /// Where an odd number of the 8 elements is negative, one must get the wrong sign: the one for which that costs
  /// least, were its magnitude free. Its target is a negative magnitude then.
  static HWY_INLINE void make_even(VS* x, VS* target, const VS* w) {
    const DS d;
    VS parity = x[0];
    for (size_t i = 1; i < 8; ++i) parity = hn::Xor(parity, x[i]);
    const VS odd = hn::CopySign(hn::Set(d, 1.0f), parity);  // -1 where it is
    VS least = hn::Set(d, std::numeric_limits<float>::infinity()), which = hn::Zero(d);
    for (size_t i = 0; i < 8; ++i) {
      const VS nearest = hn::Clamp(target[i], hn::Set(d, kLowest), hn::Set(d, kHighest));
      const VS cost = hn::Mul(w[i], hn::Mul(target[i], nearest));
      which = hn::IfThenElse(hn::Lt(cost, least), hn::Set(d, static_cast<float>(i)), which);
      least = hn::Min(least, cost);
    }
    for (size_t i = 0; i < 8; ++i) {
      const VS factor = hn::IfThenElse(hn::Eq(which, hn::Set(d, static_cast<float>(i))), odd, hn::Set(d, 1.0f));
      target[i] = hn::Mul(target[i], factor);
      x[i] = hn::Mul(x[i], factor);
    }
  }

  template <size_t kSize>
  static HWY_INLINE void choose(const Sheet<kSize>& sheet, size_t first, VS inverse, Chosen<kSize>& out) {
    const DS d;
    for (size_t e = 0; e < kSize; e += 8) {
      VS x[8], w[8], target[8];
      for (size_t i = 0; i < 8; ++i) {
        x[i] = hn::Load(d, sheet.x + (e + i) * kGroups + first);
        w[i] = hn::Load(d, sheet.w + (e + i) * kGroups + first);
        target[i] = hn::Mul(hn::Abs(x[i]), inverse);
      }
      if constexpr (kEven) make_even(x, target, w);
      for (size_t part = 0; part < 8; part += kDims) {
        const VS point = nearest_point(kHalves, target + part, w + part, kValues.data()).point;
        hn::Store(point, d, out.point + (e + part) / kDims * kGroups + first);
        for_coordinates<Halves>(kGrid, point, kValues.data(), [&](size_t i, VS value) HWY_ATTR {
          hn::Store(hn::CopySign(value, x[part + i]), d, out.level + (e + part + i) * kGroups + first);
        });
      }
    }
  }
};

/// IQ1: points hold -1, 0, 1, to which delta is added, 1/8 or -1/8. kShared: the same for the whole sub-block, else for
/// 8 elements each.
template <bool kShared>
struct ShiftedPoints {
  static constexpr auto kValues = to_floats(kIq1Values);
  static constexpr float kDelta = 0.125f, kHighest = 1 + kDelta;
  static constexpr size_t kDims = 8;
  static constexpr bool kSigned = false;

  template <size_t kSize>
  static HWY_INLINE void choose(const Sheet<kSize>& sheet, size_t first, VS inverse, Chosen<kSize>& out) {
    constexpr size_t kParts = kSize / 8;
    const DS d;
    Nearest up[kParts], down[kParts];
    VS balance = hn::Zero(d);  // how much more all of `up` misses than `down`
    for (size_t p = 0; p < kParts; ++p) {
      VS w[8], lower[8], higher[8];
      for (size_t i = 0; i < 8; ++i) {
        const VS level = hn::Mul(hn::Load(d, sheet.x + (8 * p + i) * kGroups + first), inverse);
        w[i] = hn::Load(d, sheet.w + (8 * p + i) * kGroups + first);
        lower[i] = hn::Sub(level, hn::Set(d, kDelta));
        higher[i] = hn::Add(level, hn::Set(d, kDelta));
      }
      up[p] = nearest_point(kHalvesIq1, lower, w, kValues.data());
      down[p] = nearest_point(kHalvesIq1, higher, w, kValues.data());
      balance = hn::Add(balance, hn::Sub(up[p].distance, down[p].distance));
    }
    for (size_t p = 0; p < kParts; ++p) {
      const auto minus = hn::Gt(kShared ? balance : hn::Sub(up[p].distance, down[p].distance), hn::Zero(d));
      const VS point = hn::IfThenElse(minus, down[p].point, up[p].point);
      const VS delta = hn::IfThenElse(minus, hn::Set(d, -kDelta), hn::Set(d, kDelta));
      hn::Store(point, d, out.point + p * kGroups + first);
      hn::Store(hn::IfThenElseZero(minus, hn::Set(d, 1.0f)), d, out.minus + p * kGroups + first);
      for_coordinates<std::remove_cvref_t<decltype(kHalvesIq1)>>(
          kGridIq1, point, kValues.data(), [&](size_t i, VS value) HWY_ATTR {
            hn::Store(hn::Add(value, delta), d, out.level + (8 * p + i) * kGroups + first);
          });
    }
  }
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
