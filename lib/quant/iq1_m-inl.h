// IQ1_M: 256 elements in 56 bytes, 1.75 bits per weight: 16 sub-blocks of 16 elements, points of a grid of 2048.
//
//   bytes 0-31   low 8 bits of the numbers of the points, one byte per 8 elements
//   bytes 32-47  for point l the nibble l % 2 (0: low) of byte l / 2: its lower 3 bits are the high bits of the number,
//                the fourth is set where delta is -1/8, else it is 1/8
//   bytes 48-55  4 16-bit numbers: the 3-bit scale s of sub-block i is in bits 3 (i % 4) and up of number i / 4, and
//                their bits 12 to 15, the first number's lowest, make up d, half precision
//   value = (d * (2 s + 1)) * (coordinate + delta), coordinates -1, 0, 1
// Source: GGUF specification, type 29.

#ifndef QUERN_QUANT_IQ1_M_H_
#define QUERN_QUANT_IQ1_M_H_

#include "lib/quant/block.h"
#include "lib/quant/grids.h"

namespace quern::quant {

struct IQ1_M {
  struct Block {
    uint8_t points[32];
    uint8_t points_high[16];
    uint16_t scales[4];
  };
  static_assert(sizeof(Block) == 56);

  static constexpr tensor::DType kType = tensor::DType::iq1_m;
  static constexpr const char* kName = "IQ1_M";
  static constexpr uint32_t kBlockElems = 256;

  static float scale_of_block(const Block& block) {
    int half = 0;
    for (int i = 0; i < 4; ++i) half |= block.scales[i] >> 12 << (4 * i);
    return base::f16_to_f32(static_cast<uint16_t>(half));
  }

  static void decode_block(const Block& block, float* out) {
    const float d = scale_of_block(block);
    for (int e = 0; e < 256; ++e) {
      const int s = block.scales[e / 64] >> (e / 16 % 4 * 3) & 7;
      const float scale = d * static_cast<float>(2 * s + 1);
      const int nibble = block.points_high[e / 16] >> (e / 8 % 2 * 4) & 15;
      const float delta = (nibble & 8) != 0 ? -0.125f : 0.125f;
      const uint32_t point = kGridIq1.points[static_cast<size_t>(block.points[e / 8] | (nibble & 7) << 8)];
      out[e] = scale * (static_cast<float>(kIq1Values[digit_of(point, e % 8)]) + delta);
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<IQ1_M>(blocks, out, n); }

  /// 32 points; for each, whether delta is negative (not 0); 16 scales.
  static void pack(const uint16_t* points, const uint8_t* minus, const uint8_t* scales, uint16_t d, Block& block) {
    block = {};
    for (int p = 0; p < 32; ++p) {
      block.points[p] = static_cast<uint8_t>(points[p] & 255);
      const int nibble = points[p] >> 8 | (minus[p] != 0 ? 8 : 0);
      block.points_high[p / 2] |= static_cast<uint8_t>(nibble << (p % 2 * 4));
    }
    for (int i = 0; i < 16; ++i) {
      block.scales[i / 4] = static_cast<uint16_t>(block.scales[i / 4] | scales[i] << (i % 4 * 3));
    }
    for (int i = 0; i < 4; ++i) {
      block.scales[i] = static_cast<uint16_t>(block.scales[i] | (d >> (4 * i) & 15) << 12);
    }
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_IQ1_M_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_IQ1_M_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_IQ1_M_PANEL_
#undef QUERN_QUANT_IQ1_M_PANEL_
#else
#define QUERN_QUANT_IQ1_M_PANEL_
#endif

#include "lib/quant/panel_grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct IQ1_MPanel {
  static constexpr size_t kGroup = IQ1_M::kBlockElems, kBlockBytes = sizeof(IQ1_M::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 0, kSub = 16;
  static constexpr int kBiasLog2 = 4;
  static constexpr std::array<DwordRun, 3> kOrder{{{12, 2}, {8, 4}, {0, 8}}};  // scales, high bits, low bits
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group) {
      for (size_t i = 0; i < 2; ++i) scales_[i] = load_dwords(body_, i);
      for (size_t i = 0; i < 4; ++i) high_[i] = load_dwords(body_, 2 + i);
      const VU32 low = hn::Or(moved_dword_bits<12, 0>(scales_[0], 0x000F), moved_dword_bits<28, 4>(scales_[0], 0x00F0));
      const VU32 top =
          hn::Or(moved_dword_bits<12, 8>(scales_[1], 0x0F00), moved_dword_bits<28, 12>(scales_[1], 0xF000));
      d_ = hn::Mul(f16_of<0>(hn::Or(low, top)), hn::Set(DF32(), 0.125f));
    }
    template <size_t J>
    HWY_INLINE void begin() {
      high_and_delta_ = spread_dword_bits<J % 2 * 16, 4, 15>(high_[J / 2]);
      points_.find(kGridIq1, load_dwords(body_, 6 + J), high_and_delta_);
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return iq1_codes(points_.digits<T>(), flags_if<T / 2 * 8 + 3>(high_and_delta_, 0x08080808));
    }
    HWY_INLINE VF32 d() const { return d_; }  // d / 8: codes are 8 * (coordinate + delta)
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      return odd_scale<J / 2 % 2 * 16 + J % 2 * 6 + 3 * H, 3>(scales_[J / 4]);
    }

   private:
    const uint8_t* body_;
    VF32 d_;
    VU32 scales_[2], high_[4];  // as in the block
    PointsOf8 points_;
    VU32 high_and_delta_;  // byte l: the nibble of point l
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
