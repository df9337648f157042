// IQ3_S: 256 elements in 110 bytes, 3.4375 bits per weight: 8 sub-blocks of 32 elements, points of a grid of 512.
//
//   bytes 0-1      d, half precision
//   bytes 2-65     low 8 bits of the numbers of the points, one byte per 4 elements
//   bytes 66-73    their ninth bits: of point p in bit p % 8 of byte p / 8
//   bytes 74-105   signs: bit i of byte l is set where element 8 l + i is negative
//   bytes 106-109  4-bit scales s: of sub-block j in byte j / 2, the low nibble for even j, else the high one
//   value = (d * (1 + 2 s)) * coordinate, coordinates 1, 3, 5, .. 15 and their negatives
// Source: GGUF specification, type 21.

#ifndef QUERN_QUANT_IQ3_S_H_
#define QUERN_QUANT_IQ3_S_H_

#include "lib/quant/block.h"
#include "lib/quant/grids.h"

namespace quern::quant {

struct IQ3_S {
  struct Block {
    uint16_t d;
    uint8_t points[64];
    uint8_t points_high[8];
    uint8_t signs[32];
    uint8_t scales[4];
  };
  static_assert(sizeof(Block) == 110);

  static constexpr tensor::DType kType = tensor::DType::iq3_s;
  static constexpr const char* kName = "IQ3_S";
  static constexpr uint32_t kBlockElems = 256;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int e = 0; e < 256; ++e) {
      const int s = block.scales[e / 64] >> (e / 32 % 2 * 4) & 15;
      const float scale = d * static_cast<float>(1 + 2 * s);
      const int high = block.points_high[e / 32] >> (e / 4 % 8) & 1;
      const uint32_t point = kGridIq3S.points[static_cast<size_t>(block.points[e / 4] | high << 8)];
      const int value = kIq3SValues[digit_of(point, e % 4)];
      out[e] = scale * static_cast<float>(with_sign(value, block.signs[e / 8], e % 8));
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<IQ3_S>(blocks, out, n); }

  static constexpr GridPoints kPoints = grid_points(kGridIq3S, kIq3SValues, false);
  static constexpr uint32_t kSub = 32;
  static void scales(const Block& block, float* scale) {
    const float d = base::f16_to_f32(block.d);
    for (int j = 0; j < 8; ++j) {
      scale[j] = d * static_cast<float>(1 + 2 * (block.scales[j / 2] >> (j % 2 * 4) & 15));
    }
  }
  static void put_points(const uint16_t* points, const uint8_t* signs, Block& block) {
    std::memset(block.points_high, 0, sizeof block.points_high);
    for (int p = 0; p < 64; ++p) {
      block.points[p] = static_cast<uint8_t>(points[p] & 255);
      block.points_high[p / 8] |= static_cast<uint8_t>(points[p] >> 8 << (p % 8));
    }
    std::memcpy(block.signs, signs, sizeof block.signs);
  }

  /// 64 points, the signs of pairs of them, 8 scales.
  static void pack(const uint16_t* points, const uint8_t* signs, const uint8_t* scales, uint16_t d, Block& block) {
    block = {d, {}, {}, {}, {}};
    put_points(points, signs, block);
    for (int j = 0; j < 8; ++j) block.scales[j / 2] |= static_cast<uint8_t>(scales[j] << (j % 2 * 4));
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_IQ3_S_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_IQ3_S_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_IQ3_S_PANEL_
#undef QUERN_QUANT_IQ3_S_PANEL_
#else
#define QUERN_QUANT_IQ3_S_PANEL_
#endif

#include "lib/quant/panel_grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct IQ3_SPanel {
  static constexpr size_t kGroup = IQ3_S::kBlockElems, kBlockBytes = sizeof(IQ3_S::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 2, kSub = 32;
  static constexpr int kBiasLog2 = 4;
  static constexpr std::array<DwordRun, 4> kOrder{
      {{26, 1}, {16, 2}, {0, 16}, {18, 8}}};  // scales, ninth bits, numbers, signs
  static constexpr bool kHasMin = false, kFloat = false;
  alignas(16) static constexpr std::array<uint8_t, 16> kCodes = signed_code_table(kIq3SValues, 1 << kBiasLog2);

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group)
        : body_(group + kHeadBytes * kLanes), d_(load_f16(group)), scales_(load_dwords(body_, 0)) {
      for (size_t i = 0; i < 2; ++i) high_[i] = load_dwords(body_, 1 + i);
    }
    template <size_t J>
    HWY_INLINE void begin() {
      points_.find<0>(kGridIq3S, load_dwords(body_, 3 + 2 * J), spread_dword_bits<8 * (J % 4), 1, 1>(high_[J / 4]));
      points_.find<1>(kGridIq3S, load_dwords(body_, 4 + 2 * J), spread_dword_bits<8 * (J % 4) + 4, 1, 1>(high_[J / 4]));
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return signed_codes<T>(points_, load_dwords(body_, 19 + J), kCodes);
    }
    HWY_INLINE VF32 d() const { return d_; }
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      return odd_scale<4 * J, 4>(scales_);
    }

   private:
    const uint8_t* body_;
    VF32 d_;
    VU32 scales_, high_[2];
    PointsOf4 points_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
