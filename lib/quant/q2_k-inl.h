// Q2_K: 256 elements in 84 bytes, 2.625 bits per weight: 16 sub-blocks of 16 elements.
//
//   bytes 0-15   byte s: scale sc (low nibble) and minimum m (high nibble) of sub-block s
//   bytes 16-79  2-bit codes q: with h = 0, 1 (halves of 128), p = 0 to 3, l = 0 to 31, element 128 h + 32 p + l is in
//                bits 2p and 2p + 1 of byte 32 h + l
//   bytes 80-81  d, half precision
//   bytes 82-83  dmin, half precision
//   value = (d * sc) * q - (dmin * m)
// Source: GGUF specification, type 10.

#ifndef QUERN_QUANT_Q2_K_H_
#define QUERN_QUANT_Q2_K_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct Q2_K {
  struct Block {
    uint8_t scales[16];
    uint8_t qs[64];
    uint16_t d, dmin;
  };
  static_assert(sizeof(Block) == 84);

  static constexpr tensor::DType kType = tensor::DType::q2_k;
  static constexpr const char* kName = "Q2_K";
  static constexpr uint32_t kBlockElems = 256;
  static constexpr Levels kLevels = {0, 3};
  static constexpr uint32_t kSub = 16;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d), dmin = base::f16_to_f32(block.dmin);
    for (int e = 0; e < 256; ++e) {
      const float scale = d * static_cast<float>(block.scales[e / 16] & 15);
      const float min = dmin * static_cast<float>(block.scales[e / 16] >> 4);
      const int q = block.qs[e / 128 * 32 + e % 32] >> (e / 32 % 4 * 2) & 3;
      out[e] = scale * static_cast<float>(q) - min;
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<Q2_K>(blocks, out, n); }

  static void scales(const Block& block, float* scale, float* min) {
    const float d = base::f16_to_f32(block.d), dmin = base::f16_to_f32(block.dmin);
    for (int s = 0; s < 16; ++s) {
      scale[s] = d * static_cast<float>(block.scales[s] & 15);
      min[s] = dmin * static_cast<float>(block.scales[s] >> 4);
    }
  }
  static void put_levels(const int8_t* codes, Block& block) {
    std::memset(block.qs, 0, sizeof block.qs);
    for (int e = 0; e < 256; ++e) {
      block.qs[e / 128 * 32 + e % 32] |= static_cast<uint8_t>(codes[e] << (e / 32 % 4 * 2));
    }
  }
  static void pack(const int8_t* codes, const uint8_t* sub_scales, const uint8_t* mins, uint16_t d, uint16_t dmin,
                   Block& block) {
    block.d = d;
    block.dmin = dmin;
    for (int s = 0; s < 16; ++s) block.scales[s] = static_cast<uint8_t>(sub_scales[s] | mins[s] << 4);
    put_levels(codes, block);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_Q2_K_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_Q2_K_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_Q2_K_PANEL_
#undef QUERN_QUANT_Q2_K_PANEL_
#else
#define QUERN_QUANT_Q2_K_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct Q2_KPanel {
  static constexpr size_t kGroup = Q2_K::kBlockElems, kBlockBytes = sizeof(Q2_K::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 0, kSub = 16;
  static constexpr int kBiasLog2 = -1;
  static constexpr std::array<DwordRun, 2> kOrder{{{20, 1}, {0, 20}}};  // d and dmin first
  static constexpr bool kHasMin = true, kFloat = false;
  static constexpr int kMaxWeightedCode = 15 * 3;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group) {
      const VU32 dd = load_dwords(body_, 0);
      d_ = f16_of<0>(dd);
      dmin_ = f16_of<1>(dd);
      for (size_t i = 0; i < 4; ++i) scales_[i] = load_dwords(body_, 1 + i);
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return bits_of<2 * (J % 4)>(load_dwords(body_, 5 + 8 * (J / 4) + T), 3);
    }
    /// sub_scale * code: both bytes of a 16-bit lane at once, for no product leaves its byte.
    template <size_t J, size_t T>
    HWY_INLINE VU8 weighted_codes() const {
      const DU16 d16;
      const VU32 scale = hn::BitCast(DU32(), sub_scale<J, T / 4>());
      const VU32 twice = hn::Or(scale, hn::ShiftLeft<16>(scale));
      return hn::BitCast(DU8(), hn::Mul(hn::BitCast(d16, codes<J, T>()), hn::BitCast(d16, twice)));
    }
    HWY_INLINE VF32 d() const { return d_; }
    HWY_INLINE VF32 dmin() const { return dmin_; }
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      return hn::BitCast(DI32(), moved_dword_bits<8 * ((2 * J + H) % 4), 0>(scales_[(2 * J + H) / 4], 15));
    }
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_min() const {
      return hn::BitCast(DI32(), moved_dword_bits<8 * ((2 * J + H) % 4) + 4, 0>(scales_[(2 * J + H) / 4], 15));
    }

   private:
    const uint8_t* body_;
    VF32 d_, dmin_;
    VU32 scales_[4];  // byte s of the 16: scale and minimum of sub-block s
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
