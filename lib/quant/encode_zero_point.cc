// Quantizing into the formats of a scale and a whole zero point per block: INT4, INT4_32, INT3, INT2.
//
// value = scale * level, level = code - zero: 0 is always among the values. Zero points are those that codes have room
// for, 0 .. top, as GPTQ and AWQ checkpoints have them.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/quant/encode_zero_point.cc"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <cmath>

#include "lib/quant/all_formats-inl.h"
#include "lib/quant/search-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {
namespace {

constexpr size_t kMaxSize = 128;

/// 16 blocks side by side, of at most kMaxSize elements: one code for blocks of all sizes keeps the library small.
struct Blocks {
  Sheet<kMaxSize> sheet;
  size_t size;
  float top;  ///< the largest code

  void load(const float* x, const float* weights, size_t n_blocks) {
    for (size_t g = 0; g < kGroups; ++g) {
      for (size_t e = 0; e < size; ++e) {
        sheet.x[e * kGroups + g] = g < n_blocks ? x[g * size + e] : 0.0f;
        sheet.w[e * kGroups + g] = g < n_blocks && weights != nullptr ? weights[g * size + e] : 1.0f;
      }
    }
  }
};

/// Scales and zero points of 16 blocks.
struct ZeroPoints {
  PerGroup scale, zero;
};

/// The least-squares fit of a scale to the levels that `inverse` (of a scale) and `zero` lead to.
struct ScaleFit {
  VS scale, gain;  ///< gain: what it takes off the sum of w * x^2
};

HWY_INLINE VS nearest_level(VS x, VS inverse, VS lowest, VS highest) {
  return hn::Round(hn::Clamp(hn::Mul(x, inverse), lowest, highest));
}

HWY_INLINE ScaleFit fit_levels(const Blocks& blocks, size_t first, VS inverse, VS zero) {
  const DS d;
  const VS lowest = hn::Neg(zero), highest = hn::Sub(hn::Set(d, blocks.top), zero);
  VS sxl = hn::Zero(d), sll = hn::Zero(d);
  for (size_t e = 0; e < blocks.size; ++e) {
    const VS x = hn::Load(d, blocks.sheet.x + e * kGroups + first);
    const VS w = hn::Load(d, blocks.sheet.w + e * kGroups + first);
    const VS level = nearest_level(x, inverse, lowest, highest), wl = hn::Mul(w, level);
    sxl = hn::Add(sxl, hn::Mul(wl, x));
    sll = hn::Add(sll, hn::Mul(wl, level));
  }
  const VS scale = quotient(sxl, sll);
  return {scale, hn::Mul(scale, sxl)};
}

/// Tried are the range of the elements (which always has 0 in it) stretched to numbers of steps from 0.6 to 2.2 of
/// `top` (where it is longer than the codes', the largest elements are cut off), each with the two zero points next to
/// where its 0 lies; then the zero points next to the best one, with its scale.
void fit(const Blocks& blocks, ZeroPoints& out) {
  constexpr int kTries = 40, kPolish = 3;
  constexpr float kRatio = 1.033f;
  const DS d;
  for_each_vector([&](size_t first) HWY_ATTR {
    const VS top = hn::Set(d, blocks.top);
    VS low = hn::Zero(d), high = low;
    for (size_t e = 0; e < blocks.size; ++e) {
      const VS x = hn::Load(d, blocks.sheet.x + e * kGroups + first);
      low = hn::Min(low, x);
      high = hn::Max(high, x);
    }
    const VS range = hn::Sub(high, low);
    VS best_gain = hn::Zero(d), best_scale = hn::Zero(d), best_zero = hn::Zero(d);
    const auto attempt = [&](VS inverse, VS zero) HWY_ATTR {
      zero = hn::Clamp(zero, hn::Zero(d), top);
      const ScaleFit found = fit_levels(blocks, first, inverse, zero);
      const auto better = hn::Gt(found.gain, best_gain);
      best_gain = hn::IfThenElse(better, found.gain, best_gain);
      best_scale = hn::IfThenElse(better, found.scale, best_scale);
      best_zero = hn::IfThenElse(better, zero, best_zero);
    };
    float steps = 0.6f * blocks.top;
    for (int k = 0; k < kTries; ++k, steps *= kRatio) {
      const VS inverse = quotient(hn::Set(d, steps), range);
      // Where the range is longer than the codes', its middle goes to theirs.
      const VS middle = hn::Mul(hn::Mul(hn::Add(high, low), hn::Set(d, 0.5f)), inverse);
      const VS below = hn::Floor(hn::Sub(hn::Mul(top, hn::Set(d, 0.5f)), middle));
      attempt(inverse, below);
      attempt(inverse, hn::Add(below, hn::Set(d, 1.0f)));
    }
    for (int k = 0; k < kPolish; ++k) {
      const VS inverse = quotient(hn::Set(d, 1.0f), best_scale), zero = best_zero;
      for (const float side : {0.0f, -1.0f, 1.0f}) attempt(inverse, hn::Add(zero, hn::Set(d, side)));
    }
    hn::Store(best_scale, d, out.scale.of + first);
    hn::Store(best_zero, d, out.zero.of + first);
  });
}

/// The error with these scales.
void measure(const Blocks& blocks, const PerGroup& scale, const PerGroup& zero, PerGroup& error) {
  const DS d;
  for_each_vector([&](size_t first) HWY_ATTR {
    const VS a = hn::Load(d, scale.of + first), z = hn::Load(d, zero.of + first);
    const VS inverse = quotient(hn::Set(d, 1.0f), a), lowest = hn::Neg(z);
    const VS highest = hn::Sub(hn::Set(d, blocks.top), z);
    VS sum = hn::Zero(d);
    for (size_t e = 0; e < blocks.size; ++e) {
      const VS x = hn::Load(d, blocks.sheet.x + e * kGroups + first);
      const VS w = hn::Load(d, blocks.sheet.w + e * kGroups + first);
      const VS miss = hn::Sub(x, hn::Mul(a, nearest_level(x, inverse, lowest, highest)));
      sum = hn::Add(sum, hn::Mul(w, hn::Mul(miss, miss)));
    }
    hn::Store(sum, d, error.of + first);
  });
}

/// The scales in half precision: the nearest, or a neighbour of it where that leaves less error.
void round_scales(const Blocks& blocks, const ZeroPoints& fitted, uint16_t (&best)[kGroups]) {
  PerGroup least, error, scale;
  std::fill_n(least.of, kGroups, INFINITY);
  std::fill_n(best, kGroups, uint16_t{0});
  for (const int step : {0, -1, 1}) {
    uint16_t half[kGroups];
    for (size_t g = 0; g < kGroups; ++g) {
      half[g] = neighbour(half_of(fitted.scale.of[g]), step);
      scale.of[g] = base::f16_to_f32(half[g]);
    }
    measure(blocks, scale, fitted.zero, error);
    for (size_t g = 0; g < kGroups; ++g) {
      if (!(error.of[g] < least.of[g])) continue;
      least.of[g] = error.of[g];
      best[g] = half[g];
    }
  }
}

/// codes: of block g, at codes + g * size.
void choose(const Blocks& blocks, const PerGroup& scale, const PerGroup& zero, uint8_t* codes) {
  const DS d;
  HWY_ALIGN float row[kGroups];
  for (size_t e = 0; e < blocks.size; ++e) {
    for_each_vector([&](size_t first) HWY_ATTR {
      const VS z = hn::Load(d, zero.of + first);
      const VS inverse = quotient(hn::Set(d, 1.0f), hn::Load(d, scale.of + first));
      const VS x = hn::Load(d, blocks.sheet.x + e * kGroups + first);
      const VS level = nearest_level(x, inverse, hn::Neg(z), hn::Sub(hn::Set(d, blocks.top), z));
      hn::Store(hn::Add(level, z), d, row + first);
    });
    for (size_t g = 0; g < kGroups; ++g) codes[g * blocks.size + e] = static_cast<uint8_t>(row[g]);
  }
}

}  // namespace

/// pack: of a block's codes, scale and zero point, to where the block goes.
void encode_zero_points(const float* x, const float* weights, size_t n, size_t size, float top,
                        void (*pack)(const uint8_t*, uint16_t, uint8_t, std::byte*), size_t block_bytes,
                        std::byte* out) {
  Blocks blocks;
  blocks.size = size;
  blocks.top = top;
  ZeroPoints fitted;
  uint16_t half[kGroups];
  uint8_t codes[kMaxSize * kGroups];
  for (size_t i = 0; i < n; i += size * kGroups) {
    const size_t n_blocks = std::min(kGroups, (n - i) / size);
    blocks.load(x + i, weights == nullptr ? nullptr : weights + i, n_blocks);
    fit(blocks, fitted);
    round_scales(blocks, fitted, half);
    for (size_t g = 0; g < kGroups; ++g) fitted.scale.of[g] = base::f16_to_f32(half[g]);
    choose(blocks, fitted.scale, fitted.zero, codes);
    for (size_t g = 0; g < n_blocks; ++g, out += block_bytes) {
      pack(codes + g * size, half[g], static_cast<uint8_t>(fitted.zero.of[g]), out);
    }
  }
}

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::quant {
namespace {

HWY_EXPORT(encode_zero_points);

template <class Format>
void encode_as(const float* x, const float* weights, size_t n, std::byte* blocks) {
  const auto pack = [](const uint8_t* codes, uint16_t d, uint8_t zero, std::byte* to) {
    typename Format::Block block;
    Format::pack(codes, d, zero, block);
    store(block, to);
  };
  HWY_DYNAMIC_DISPATCH(encode_zero_points)
  (x, weights, n, Format::kBlockElems, Format::kLevels.high, pack, sizeof(typename Format::Block), blocks);
}

}  // namespace

void INT4::encode(const float* x, const float* w, size_t n, std::byte* blocks) { encode_as<INT4>(x, w, n, blocks); }
void INT4_32::encode(const float* x, const float* w, size_t n, std::byte* blocks) {
  encode_as<INT4_32>(x, w, n, blocks);
}
void INT3::encode(const float* x, const float* w, size_t n, std::byte* blocks) { encode_as<INT3>(x, w, n, blocks); }
void INT2::encode(const float* x, const float* w, size_t n, std::byte* blocks) { encode_as<INT2>(x, w, n, blocks); }

}  // namespace quern::quant
#endif  // HWY_ONCE
