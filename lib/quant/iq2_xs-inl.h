// IQ2_XS: 256 elements in 74 bytes, 2.3125 bits per weight: 16 sub-blocks of 16 elements, points of a grid of 512.
//
//   bytes 0-1    d, half precision
//   bytes 2-65   32 16-bit numbers, one per 8 elements: bits 0 to 8 the number of the point, bits 9 to 15 signs
//   (grids.h) bytes 66-73  4-bit scales s: of sub-block i in byte i / 2, the low nibble for even i, else the high one
//   value = (d * (0.5 + s) * 0.25) * coordinate, coordinates 8, 25, 43 and their negatives
// Source: GGUF specification, type 17.

#ifndef QUERN_QUANT_IQ2_XS_H_
#define QUERN_QUANT_IQ2_XS_H_

#include "lib/quant/block.h"
#include "lib/quant/grids.h"

namespace quern::quant {

struct IQ2_XS {
  struct Block {
    uint16_t d;
    uint16_t points[32];
    uint8_t scales[8];
  };
  static_assert(sizeof(Block) == 74);

  static constexpr tensor::DType kType = tensor::DType::iq2_xs;
  static constexpr const char* kName = "IQ2_XS";
  static constexpr uint32_t kBlockElems = 256;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int e = 0; e < 256; ++e) {
      const int s = block.scales[e / 32] >> (e / 16 % 2 * 4) & 15;
      const float scale = d * (0.5f + static_cast<float>(s)) * 0.25f;
      const uint16_t point = block.points[e / 8];
      const int value = kIq2Values[digit_of(kGridIq2Xs.points[point & 511], e % 8)];
      out[e] = scale * static_cast<float>(with_sign(value, even_signs(point >> 9), e % 8));
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<IQ2_XS>(blocks, out, n); }

  static constexpr GridPoints kPoints = grid_points(kGridIq2Xs, kIq2Values, true);
  static constexpr uint32_t kSub = 16;
  static void scales(const Block& block, float* scale) {
    const float d = base::f16_to_f32(block.d);
    for (int i = 0; i < 16; ++i) {
      scale[i] = d * (0.5f + static_cast<float>(block.scales[i / 2] >> (i % 2 * 4) & 15)) * 0.25f;
    }
  }
  static void put_points(const uint16_t* points, const uint8_t* signs, Block& block) {
    for (int p = 0; p < 32; ++p) block.points[p] = static_cast<uint16_t>(points[p] | (signs[p] & 127) << 9);
  }

  /// 32 points, their signs (an even number of minus signs each), 16 scales.
  static void pack(const uint16_t* points, const uint8_t* signs, const uint8_t* scales, uint16_t d, Block& block) {
    block = {d, {}, {}};
    put_points(points, signs, block);
    for (int i = 0; i < 16; ++i) block.scales[i / 2] |= static_cast<uint8_t>(scales[i] << (i % 2 * 4));
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_IQ2_XS_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_IQ2_XS_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_IQ2_XS_PANEL_
#undef QUERN_QUANT_IQ2_XS_PANEL_
#else
#define QUERN_QUANT_IQ2_XS_PANEL_
#endif

#include "lib/quant/panel_grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct IQ2_XSPanel {
  static constexpr size_t kGroup = IQ2_XS::kBlockElems, kBlockBytes = sizeof(IQ2_XS::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 2, kSub = 16;
  static constexpr int kBiasLog2 = 6;
  static constexpr std::array<DwordRun, 2> kOrder{{{16, 2}, {0, 16}}};  // scales first
  static constexpr bool kHasMin = false, kFloat = false;
  alignas(16) static constexpr std::array<uint8_t, 16> kCodes = signed_code_table(kIq2Values, 1 << kBiasLog2);

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group)
        : body_(group + kHeadBytes * kLanes), d_(hn::Mul(load_f16(group), hn::Set(DF32(), 0.125f))) {
      for (size_t i = 0; i < 2; ++i) scales_[i] = load_dwords(body_, i);
    }
    template <size_t J>
    HWY_INLINE void begin() {
      const VU32 first = load_dwords(body_, 2 + 2 * J), second = load_dwords(body_, 3 + 2 * J);
      const VU32 odd = alternate_bytes<1>(first, second);
      points_.find(kGridIq2Xs, alternate_bytes<0>(first, second), odd);
      signs_ = even_signs_of_bytes(hn::BitCast(DU32(), bits_of<1>(odd, 0x7F)));
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return signed_codes<T>(points_, signs_, kCodes);
    }
    HWY_INLINE VF32 d() const { return d_; }  // d / 8: d * (0.5 + s) * 0.25 = d / 8 * (2 s + 1)
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      return odd_scale<8 * (J % 4) + 4 * H, 4>(scales_[J / 4]);
    }

   private:
    const uint8_t* body_;
    VF32 d_;
    VU32 scales_[2];  // byte J of the 8: the two scales of elements 32 J ..
    PointsOf8 points_;
    VU32 signs_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
