// IQ2_S: 256 elements in 82 bytes, 2.5625 bits per weight: 16 sub-blocks of 16 elements, points of a grid of 1024.
//
//   bytes 0-1    d, half precision
//   bytes 2-33   low 8 bits of the numbers of the points, one byte per 8 elements
//   bytes 34-65  signs: bit i of byte l is set where element 8 l + i is negative
//   bytes 66-73  high 2 bits of the numbers: of point l in bits 2 (l % 4) and up of byte l / 4
//   bytes 74-81  4-bit scales s: of sub-block i in byte i / 2, the low nibble for even i, else the high one
//   value = (d * (0.5 + s) * 0.25) * coordinate, coordinates 8, 25, 43 and their negatives
// Source: GGUF specification, type 22.

#ifndef QUERN_QUANT_IQ2_S_H_
#define QUERN_QUANT_IQ2_S_H_

#include "lib/quant/block.h"
#include "lib/quant/grids.h"

namespace quern::quant {

struct IQ2_S {
  struct Block {
    uint16_t d;
    uint8_t points[32];
    uint8_t signs[32];
    uint8_t points_high[8];
    uint8_t scales[8];
  };
  static_assert(sizeof(Block) == 82);

  static constexpr tensor::DType kType = tensor::DType::iq2_s;
  static constexpr const char* kName = "IQ2_S";
  static constexpr uint32_t kBlockElems = 256;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int e = 0; e < 256; ++e) {
      const int s = block.scales[e / 32] >> (e / 16 % 2 * 4) & 15;
      const float scale = d * (0.5f + static_cast<float>(s)) * 0.25f;
      const int high = block.points_high[e / 32] >> (e / 8 % 4 * 2) & 3;
      const uint32_t point = kGridIq2S.points[static_cast<size_t>(block.points[e / 8] | high << 8)];
      const int value = kIq2Values[digit_of(point, e % 8)];
      out[e] = scale * static_cast<float>(with_sign(value, block.signs[e / 8], e % 8));
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<IQ2_S>(blocks, out, n); }

  static constexpr GridPoints kPoints = grid_points(kGridIq2S, kIq2Values, false);
  static constexpr uint32_t kSub = 16;
  static void scales(const Block& block, float* scale) {
    const float d = base::f16_to_f32(block.d);
    for (int i = 0; i < 16; ++i) {
      scale[i] = d * (0.5f + static_cast<float>(block.scales[i / 2] >> (i % 2 * 4) & 15)) * 0.25f;
    }
  }
  static void put_points(const uint16_t* points, const uint8_t* signs, Block& block) {
    std::memset(block.points_high, 0, sizeof block.points_high);
    for (int p = 0; p < 32; ++p) {
      block.points[p] = static_cast<uint8_t>(points[p] & 255);
      block.points_high[p / 4] |= static_cast<uint8_t>(points[p] >> 8 << (p % 4 * 2));
      block.signs[p] = signs[p];
    }
  }

  /// 32 points, their signs, 16 scales.
  static void pack(const uint16_t* points, const uint8_t* signs, const uint8_t* scales, uint16_t d, Block& block) {
    block = {d, {}, {}, {}, {}};
    put_points(points, signs, block);
    for (int i = 0; i < 16; ++i) block.scales[i / 2] |= static_cast<uint8_t>(scales[i] << (i % 2 * 4));
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_IQ2_S_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_IQ2_S_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_IQ2_S_PANEL_
#undef QUERN_QUANT_IQ2_S_PANEL_
#else
#define QUERN_QUANT_IQ2_S_PANEL_
#endif

#include "lib/quant/panel_grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct IQ2_SPanel {
  static constexpr size_t kGroup = IQ2_S::kBlockElems, kBlockBytes = sizeof(IQ2_S::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 2, kSub = 16;
  static constexpr int kBiasLog2 = 6;
  static constexpr std::array<DwordRun, 2> kOrder{{{16, 4}, {0, 16}}};  // high bits and scales first
  static constexpr bool kHasMin = false, kFloat = false;
  alignas(16) static constexpr std::array<uint8_t, 16> kCodes = signed_code_table(kIq2Values, 1 << kBiasLog2);

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group)
        : body_(group + kHeadBytes * kLanes), d_(hn::Mul(load_f16(group), hn::Set(DF32(), 0.125f))) {
      for (size_t i = 0; i < 2; ++i) {
        high_[i] = load_dwords(body_, i);
        scales_[i] = load_dwords(body_, 2 + i);
      }
    }
    template <size_t J>
    HWY_INLINE void begin() {
      points_.find(kGridIq2S, load_dwords(body_, 4 + J), hn::BitCast(DU32(), spread_2_bits<J % 4>(high_[J / 4])));
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return signed_codes<T>(points_, load_dwords(body_, 12 + J), kCodes);
    }
    HWY_INLINE VF32 d() const { return d_; }  // d / 8: d * (0.5 + s) * 0.25 = d / 8 * (2 s + 1)
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      return odd_scale<8 * (J % 4) + 4 * H, 4>(scales_[J / 4]);
    }

   private:
    const uint8_t* body_;
    VF32 d_;
    VU32 high_[2], scales_[2];  // byte J of the 8: of elements 32 J ..
    PointsOf8 points_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
