// IQ1_S: 256 elements in 50 bytes, 1.5625 bits per weight: 8 sub-blocks of 32 elements, points of a grid of 2048.
//
//   bytes 0-1    d, half precision
//   bytes 2-33   low 8 bits of the numbers of the points, one byte per 8 elements
//   bytes 34-49  8 16-bit numbers, one per sub-block: bits 3l to 3l + 2 are the high bits of the number of its point l,
//                bits 12 to 14 its scale s, bit 15 is set where delta is -1/8, else it is 1/8
//   value = (d * (2 s + 1)) * (coordinate + delta), coordinates -1, 0, 1
// Source: GGUF specification, type 19.

#ifndef QUERN_QUANT_IQ1_S_H_
#define QUERN_QUANT_IQ1_S_H_

#include "lib/quant/block.h"
#include "lib/quant/grids.h"

namespace quern::quant {

struct IQ1_S {
  struct Block {
    uint16_t d;
    uint8_t points[32];
    uint16_t subs[8];
  };
  static_assert(sizeof(Block) == 50);

  static constexpr tensor::DType kType = tensor::DType::iq1_s;
  static constexpr const char* kName = "IQ1_S";
  static constexpr uint32_t kBlockElems = 256;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int e = 0; e < 256; ++e) {
      const int sub = block.subs[e / 32];
      const float scale = d * static_cast<float>(2 * (sub >> 12 & 7) + 1);
      const float delta = (sub & 0x8000) != 0 ? -0.125f : 0.125f;
      const int high = sub >> (e / 8 % 4 * 3) & 7;
      const uint32_t point = kGridIq1.points[static_cast<size_t>(block.points[e / 8] | high << 8)];
      out[e] = scale * (static_cast<float>(kIq1Values[digit_of(point, e % 8)]) + delta);
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<IQ1_S>(blocks, out, n); }

  /// 32 points; for each, whether delta is negative (not 0), the same within a sub-block; 8 scales.
  static void pack(const uint16_t* points, const uint8_t* minus, const uint8_t* scales, uint16_t d, Block& block) {
    block = {d, {}, {}};
    for (int j = 0; j < 8; ++j) {
      int sub = scales[j] << 12 | (minus[4 * j] != 0 ? 0x8000 : 0);
      for (int l = 0; l < 4; ++l) {
        block.points[4 * j + l] = static_cast<uint8_t>(points[4 * j + l] & 255);
        sub |= points[4 * j + l] >> 8 << (3 * l);
      }
      block.subs[j] = static_cast<uint16_t>(sub);
    }
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_IQ1_S_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_IQ1_S_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_IQ1_S_PANEL_
#undef QUERN_QUANT_IQ1_S_PANEL_
#else
#define QUERN_QUANT_IQ1_S_PANEL_
#endif

#include "lib/quant/panel_grid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct IQ1_SPanel {
  static constexpr size_t kGroup = IQ1_S::kBlockElems, kBlockBytes = sizeof(IQ1_S::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 2, kSub = 32;
  static constexpr int kBiasLog2 = 4;
  static constexpr std::array<DwordRun, 2> kOrder{{{8, 4}, {0, 8}}};  // scales and high bits first
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group)
        : body_(group + kHeadBytes * kLanes), d_(hn::Mul(load_f16(group), hn::Set(DF32(), 0.125f))) {
      for (size_t i = 0; i < 4; ++i) subs_[i] = load_dwords(body_, i);
    }
    template <size_t J>
    HWY_INLINE void begin() {
      points_.find(kGridIq1, load_dwords(body_, 4 + J), spread_dword_bits<J % 2 * 16, 3, 7>(subs_[J / 2]));
      delta_ = flags_if<J % 2 * 16 + 15>(subs_[J / 2], 0x08080808);
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return iq1_codes(points_.digits<T>(), delta_);
    }
    HWY_INLINE VF32 d() const { return d_; }  // d / 8: codes are 8 * (coordinate + delta)
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      return odd_scale<J % 2 * 16 + 12, 3>(subs_[J / 2]);
    }

   private:
    const uint8_t* body_;
    VF32 d_;
    VU32 subs_[4];  // in each half of a dword: high bits, scale and delta of a sub-block
    PointsOf8 points_;
    VU32 delta_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
