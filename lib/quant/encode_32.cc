// Quantizing into the formats with one scale per block, or one scale and one minimum: those of 32 elements, and INT8.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/quant/encode_32.cc"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <cmath>

#include "lib/quant/all_formats-inl.h"
#include "lib/quant/search-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {
namespace {

using Sheet32 = Sheet<32>;
constexpr size_t kSheetElems = 32 * kGroups;

/// Keeps in `best` the halves of the groups whose error with `half` is smaller than any before.
template <class Levels, size_t kSize>
void try_halves(const Sheet<kSize>& sheet, const uint16_t (&half)[kGroups], uint16_t (&best)[kGroups],
                PerGroup& least) {
  PerGroup scale, error;
  for (size_t g = 0; g < kGroups; ++g) scale.of[g] = base::f16_to_f32(half[g]);
  measure_scale<Levels>(sheet, scale, error);
  for (size_t g = 0; g < kGroups; ++g) {
    if (!(error.of[g] < least.of[g])) continue;
    least.of[g] = error.of[g];
    best[g] = half[g];
  }
}

/// Scales in half precision: near the fitted ones, and near what suits the levels that those lead to.
template <class Levels, size_t kSize>
void round_scales(const Sheet<kSize>& sheet, const PerGroup& fitted, uint16_t (&best)[kGroups]) {
  PerGroup least, error, sxl, sll;
  std::fill_n(least.of, kGroups, INFINITY);
  std::fill_n(best, kGroups, uint16_t{0});
  measure_scale<Levels>(sheet, fitted, error, &sxl, &sll);
  uint16_t half[kGroups];
  for (const int step : {0, -1, 1}) {
    for (size_t g = 0; g < kGroups; ++g) half[g] = neighbour(half_of(fitted.of[g]), step);
    try_halves<Levels>(sheet, half, best, least);
  }
  for (size_t g = 0; g < kGroups; ++g) half[g] = half_of(sll.of[g] > 0 ? sxl.of[g] / sll.of[g] : 0);
  try_halves<Levels>(sheet, half, best, least);
}

template <class Format, class Levels, int kSteps>
void encode_scaled(const float* x, const float* weights, size_t n, std::byte* blocks) {
  constexpr size_t kSize = Format::kBlockElems;
  Sheet<kSize> sheet;
  PerGroup scale;
  uint16_t half[kGroups];
  HWY_ALIGN int8_t levels[kSize * kGroups];
  for (size_t i = 0; i < n; i += kSize * kGroups) {
    const size_t n_groups = std::min(kGroups, (n - i) / kSize);
    sheet.load(x + i, weights == nullptr ? nullptr : weights + i, n_groups);
    fit_scale<Levels>(sheet, kSteps, Levels::kLimit / 80, scale);
    round_scales<Levels>(sheet, scale, half);
    for (size_t g = 0; g < kGroups; ++g) scale.of[g] = base::f16_to_f32(half[g]);
    choose_levels<Levels>(sheet, scale, levels);
    for (size_t g = 0; g < n_groups; ++g, blocks += sizeof(typename Format::Block)) {
      typename Format::Block block;
      Format::pack(levels + kSize * g, half[g], block);
      store(block, blocks);
    }
  }
}

struct ScaleMinHalves {
  uint16_t scale[kGroups], min[kGroups];  ///< value = scale * code + min
};

template <int kMax>
void try_halves(const Sheet32& sheet, const ScaleMinHalves& halves, ScaleMinHalves& best, PerGroup& least) {
  PerGroup scale, min, error;
  for (size_t g = 0; g < kGroups; ++g) {
    scale.of[g] = base::f16_to_f32(halves.scale[g]);
    min.of[g] = -base::f16_to_f32(halves.min[g]);
  }
  measure_affine<kMax>(sheet, scale, min, error);
  for (size_t g = 0; g < kGroups; ++g) {
    if (!(error.of[g] < least.of[g])) continue;
    least.of[g] = error.of[g];
    best.scale[g] = halves.scale[g];
    best.min[g] = halves.min[g];
  }
}

template <int kMax>
void round_scales_and_minima(const Sheet32& sheet, const PerGroup& scale, const PerGroup& min, ScaleMinHalves& best) {
  PerGroup least;
  std::fill_n(least.of, kGroups, INFINITY);
  best = {};
  ScaleMinHalves halves;
  for (const int scale_step : {0, -1, 1}) {
    for (const int min_step : {0, -1, 1}) {
      for (size_t g = 0; g < kGroups; ++g) {
        halves.scale[g] = neighbour(half_of(scale.of[g]), scale_step);
        halves.min[g] = neighbour(half_of(-min.of[g]), min_step);
      }
      try_halves<kMax>(sheet, halves, best, least);
    }
  }
}

template <class Format, int kMax>
void encode_affine(const float* x, const float* weights, size_t n, std::byte* blocks) {
  Sheet32 sheet;
  PerGroup scale, min;
  ScaleMinHalves halves;
  HWY_ALIGN int8_t codes[kSheetElems];
  for (size_t i = 0; i < n; i += kSheetElems) {
    const size_t n_groups = std::min(kGroups, (n - i) / 32);
    sheet.load(x + i, weights == nullptr ? nullptr : weights + i, n_groups);
    fit_affine<kMax, true>(sheet, -1.0f, 0.1f, 24, scale, min);
    round_scales_and_minima<kMax>(sheet, scale, min, halves);
    for (size_t g = 0; g < kGroups; ++g) {
      scale.of[g] = base::f16_to_f32(halves.scale[g]);
      min.of[g] = -base::f16_to_f32(halves.min[g]);
    }
    choose_codes<kMax>(sheet, scale, min, codes);
    for (size_t g = 0; g < n_groups; ++g, blocks += sizeof(typename Format::Block)) {
      typename Format::Block block;
      Format::pack(codes + 32 * g, halves.scale[g], halves.min[g], block);
      store(block, blocks);
    }
  }
}

}  // namespace

/// Scales are powers of two: the one that just holds the largest element, its half and its double.
void encode_mxfp4(const float* x, const float* weights, size_t n, std::byte* blocks) {
  Sheet32 sheet;
  PerGroup scale, error, least;
  uint8_t exponents[kGroups];
  HWY_ALIGN int8_t levels[kSheetElems];
  for (size_t i = 0; i < n; i += kSheetElems) {
    const size_t n_groups = std::min(kGroups, (n - i) / 32);
    sheet.load(x + i, weights == nullptr ? nullptr : weights + i, n_groups);
    std::fill_n(least.of, kGroups, INFINITY);
    std::fill_n(exponents, kGroups, uint8_t{0});
    int first[kGroups];
    for (size_t g = 0; g < kGroups; ++g) {
      float highest = 0;
      for (size_t e = 0; e < 32; ++e) highest = std::max(highest, std::fabs(sheet.x[e * kGroups + g]));
      first[g] = highest == 0 ? 0 : std::ilogb(highest) + 127 - 2;
    }
    for (int step = -1; step <= 1; ++step) {
      int tried[kGroups];
      for (size_t g = 0; g < kGroups; ++g) {
        tried[g] = std::clamp(first[g] + step, 0, 254);
        scale.of[g] = MXFP4::half_of_e8m0(static_cast<uint8_t>(tried[g]));
      }
      measure_scale<Mxfp4Levels>(sheet, scale, error);
      for (size_t g = 0; g < kGroups; ++g) {
        if (!(error.of[g] < least.of[g])) continue;
        least.of[g] = error.of[g];
        exponents[g] = static_cast<uint8_t>(tried[g]);
      }
    }
    for (size_t g = 0; g < kGroups; ++g) scale.of[g] = MXFP4::half_of_e8m0(exponents[g]);
    choose_levels<Mxfp4Levels>(sheet, scale, levels);
    for (size_t g = 0; g < n_groups; ++g, blocks += sizeof(MXFP4::Block)) {
      MXFP4::Block block;
      MXFP4::pack(levels + 32 * g, exponents[g], block);
      store(block, blocks);
    }
  }
}

void encode_q4_0(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_scaled<Q4_0, Integers<-8, 7>, 20>(x, weights, n, blocks);
}
void encode_q5_0(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_scaled<Q5_0, Integers<-16, 15>, 12>(x, weights, n, blocks);
}
void encode_q8_0(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_scaled<Q8_0, Integers<-127, 127>, 1>(x, weights, n, blocks);
}
void encode_int8(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_scaled<INT8, Integers<-127, 127>, 1>(x, weights, n, blocks);
}
void encode_iq4_nl(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_scaled<IQ4_NL, Iq4Levels, 12>(x, weights, n, blocks);
}
void encode_q4_1(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_affine<Q4_1, 15>(x, weights, n, blocks);
}
void encode_q5_1(const float* x, const float* weights, size_t n, std::byte* blocks) {
  encode_affine<Q5_1, 31>(x, weights, n, blocks);
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
QUERN_ENCODE(encode_q4_0, Q4_0)
QUERN_ENCODE(encode_q4_1, Q4_1)
QUERN_ENCODE(encode_q5_0, Q5_0)
QUERN_ENCODE(encode_q5_1, Q5_1)
QUERN_ENCODE(encode_q8_0, Q8_0)
QUERN_ENCODE(encode_int8, INT8)
QUERN_ENCODE(encode_iq4_nl, IQ4_NL)
QUERN_ENCODE(encode_mxfp4, MXFP4)
#undef QUERN_ENCODE

}  // namespace quern::quant
#endif  // HWY_ONCE
