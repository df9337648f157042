// IQ3_XXS: 256 elements in 98 bytes, 3.0625 bits per weight: 8 sub-blocks of 32 elements, points of a grid of 256.
//
//   bytes 0-1    d, half precision
//   bytes 2-65   numbers of the points, one byte per 4 elements
//   bytes 66-97  8 32-bit numbers, one per sub-block: bits 7l to 7l + 6 are the signs of its elements 8l to 8l + 7
//                (grids.h), bits 28 to 31 its scale s
//   value = (d * (0.5 + s) * 0.5) * coordinate, coordinates 4, 12, 20, 28, 36, 44, 52, 62 and their negatives
// Source: GGUF specification, type 18.

#ifndef QUERN_QUANT_IQ3_XXS_H_
#define QUERN_QUANT_IQ3_XXS_H_

#include "lib/quant/block.h"
#include "lib/quant/grids.h"

namespace quern::quant {

struct IQ3_XXS {
  struct Block {
    uint16_t d;
    uint8_t points[64];
    uint8_t signs_scales[8][4];
  };
  static_assert(sizeof(Block) == 98);

  static constexpr tensor::DType kType = tensor::DType::iq3_xxs;
  static constexpr const char* kName = "IQ3_XXS";
  static constexpr uint32_t kBlockElems = 256;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int e = 0; e < 256; ++e) {
      const auto signs_scale = load<uint32_t>(block.signs_scales[e / 32]);
      const float scale = d * (0.5f + static_cast<float>(signs_scale >> 28)) * 0.5f;
      const uint32_t signs = even_signs(signs_scale >> (e / 8 % 4 * 7) & 127);
      const int value = kIq3XxsValues[digit_of(kGridIq3Xxs.points[block.points[e / 4]], e % 4)];
      out[e] = scale * static_cast<float>(with_sign(value, signs, e % 8));
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<IQ3_XXS>(blocks, out, n); }

  static constexpr GridPoints kPoints = grid_points(kGridIq3Xxs, kIq3XxsValues, true);
  static constexpr uint32_t kSub = 32;
  static void scales(const Block& block, float* scale) {
    const float d = base::f16_to_f32(block.d);
    for (int j = 0; j < 8; ++j) {
      scale[j] = d * (0.5f + static_cast<float>(load<uint32_t>(block.signs_scales[j]) >> 28)) * 0.5f;
    }
  }
  static void put_points(const uint16_t* points, const uint8_t* signs, Block& block) {
    for (int p = 0; p < 64; ++p) block.points[p] = static_cast<uint8_t>(points[p]);
    for (int j = 0; j < 8; ++j) {
      uint32_t signs_scale = load<uint32_t>(block.signs_scales[j]) & 0xF0000000u;
      for (int l = 0; l < 4; ++l) signs_scale |= (signs[4 * j + l] & 127u) << (7 * l);
      store(signs_scale, block.signs_scales[j]);
    }
  }

  /// 64 points, the signs of pairs of them (an even number of minus signs each), 8 scales.
  static void pack(const uint16_t* points, const uint8_t* signs, const uint8_t* scales, uint16_t d, Block& block) {
    block.d = d;
    for (int j = 0; j < 8; ++j) store(static_cast<uint32_t>(scales[j]) << 28, block.signs_scales[j]);
    put_points(points, signs, block);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_IQ3_XXS_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_IQ3_XXS_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_IQ3_XXS_PANEL_
#undef QUERN_QUANT_IQ3_XXS_PANEL_
#else
#define QUERN_QUANT_IQ3_XXS_PANEL_
#endif

#include "lib/quant/panel_grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct IQ3_XXSPanel {
  static constexpr size_t kGroup = IQ3_XXS::kBlockElems, kBlockBytes = sizeof(IQ3_XXS::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 2, kSub = 32;
  static constexpr int kBiasLog2 = 6;
  static constexpr bool kHasMin = false, kFloat = false;
  alignas(16) static constexpr std::array<uint8_t, 16> kCodes = signed_code_table(kIq3XxsValues, 1 << kBiasLog2);

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group)
        : body_(group + kHeadBytes * kLanes), d_(hn::Mul(load_f16(group), hn::Set(DF32(), 0.25f))) {}
    template <size_t J>
    HWY_INLINE void begin() {
      const VU32 first = load_dwords(body_, 2 * J), second = load_dwords(body_, 2 * J + 1);
      points_.find<0>(kGridIq3Xxs, first, first);
      points_.find<1>(kGridIq3Xxs, second, second);
      signs_ = signs_of_28_bits(load_dwords(body_, 16 + J));
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return signed_codes<T>(points_, signs_, kCodes);
    }
    HWY_INLINE VF32 d() const { return d_; }  // d / 4: d * (0.5 + s) * 0.5 = d / 4 * (2 s + 1)
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      return odd_scale<28, 4>(load_dwords(body_, 16 + J));
    }

   private:
    const uint8_t* body_;
    VF32 d_;
    PointsOf4 points_;
    VU32 signs_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
