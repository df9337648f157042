// Q3_K: 256 elements in 110 bytes, 3.4375 bits per weight: 16 sub-blocks of 16 elements.
//
//   bytes 0-31     third bits: element 32 k + l (l = 0 to 31) is in bit k of byte l
//   bytes 32-95    low 2 bits: with h = 0, 1 (halves of 128), p = 0 to 3, l = 0 to 31, element 128 h + 32 p + l is in
//                  bits 2p and 2p + 1 of byte 32 h + l
//   bytes 96-107   16 6-bit scales sc: the low 4 bits of scale s are in byte s % 8, in the low nibble for s < 8,
//                  else the high one; its 2 high bits are bits 2 (s / 4) and up of byte 8 + s % 4
//   bytes 108-109  d, half precision
//   value = (d * (sc - 32)) * (q - 4) with q = low bits + 4 * third bit
// Source: GGUF specification, type 11.

#ifndef QUERN_QUANT_Q3_K_H_
#define QUERN_QUANT_Q3_K_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct Q3_K {
  struct Block {
    uint8_t hmask[32];
    uint8_t qs[64];
    uint8_t scales[12];
    uint16_t d;
  };
  static_assert(sizeof(Block) == 110);

  static constexpr tensor::DType kType = tensor::DType::q3_k;
  static constexpr const char* kName = "Q3_K";
  static constexpr uint32_t kBlockElems = 256;
  static constexpr Levels kLevels = {-4, 3};
  static constexpr uint32_t kSub = 16;

  /// The signed scale of sub-block s, -32 to 31, from the 12 packed bytes.
  static int sub_scale(const uint8_t* scales, int s) {
    const int low = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
    const int high = scales[8 + s % 4] >> (s / 4 * 2) & 3;
    return (low | high << 4) - 32;
  }

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int e = 0; e < 256; ++e) {
      const float scale = d * static_cast<float>(sub_scale(block.scales, e / 16));
      const int low = block.qs[e / 128 * 32 + e % 32] >> (e / 32 % 4 * 2) & 3;
      const int high = block.hmask[e % 32] >> (e / 32) & 1;
      out[e] = scale * static_cast<float>(low + 4 * high - 4);
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<Q3_K>(blocks, out, n); }

  static void scales(const Block& block, float* scale, float* min) {
    const float d = base::f16_to_f32(block.d);
    for (int s = 0; s < 16; ++s) {
      scale[s] = d * static_cast<float>(sub_scale(block.scales, s));
      min[s] = 0;
    }
  }
  static void put_levels(const int8_t* levels, Block& block) {
    std::memset(block.qs, 0, sizeof block.qs);
    std::memset(block.hmask, 0, sizeof block.hmask);
    for (int e = 0; e < 256; ++e) {
      const int code = levels[e] + 4;
      block.qs[e / 128 * 32 + e % 32] |= static_cast<uint8_t>((code & 3) << (e / 32 % 4 * 2));
      block.hmask[e % 32] |= static_cast<uint8_t>((code >> 2) << (e / 32));
    }
  }
  static void pack(const int8_t* levels, const int8_t* sub_scales, uint16_t d, Block& block) {
    block.d = d;
    std::memset(block.scales, 0, sizeof block.scales);
    for (int s = 0; s < 16; ++s) {
      const int code = sub_scales[s] + 32;
      block.scales[s % 8] |= static_cast<uint8_t>((code & 15) << (s / 8 * 4));
      block.scales[8 + s % 4] |= static_cast<uint8_t>((code >> 4) << (s / 4 * 2));
    }
    put_levels(levels, block);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_Q3_K_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_Q3_K_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_Q3_K_PANEL_
#undef QUERN_QUANT_Q3_K_PANEL_
#else
#define QUERN_QUANT_Q3_K_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct Q3_KPanel {
  static constexpr size_t kGroup = Q3_K::kBlockElems, kBlockBytes = sizeof(Q3_K::Block);
  static constexpr size_t kHeadOffset = 108, kHeadBytes = 2, kSub = 16;
  static constexpr int kBiasLog2 = 2;
  static constexpr std::array<DwordRun, 3> kOrder{{{24, 3}, {0, 8}, {8, 16}}};  // scales, high bits, low bits
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group + kHeadBytes * kLanes), d_(load_f16(group)) {
      const VU32 w0 = load_dwords(body_, 0), w1 = load_dwords(body_, 1), w2 = load_dwords(body_, 2);
      scales_[0] = signed_scales(moved_dword_bits<0, 0>(w0, 0x0F0F0F0F), moved_dword_bits<0, 4>(w2, 0x30303030));
      scales_[1] = signed_scales(moved_dword_bits<0, 0>(w1, 0x0F0F0F0F), moved_dword_bits<2, 4>(w2, 0x30303030));
      scales_[2] = signed_scales(moved_dword_bits<4, 0>(w0, 0x0F0F0F0F), moved_dword_bits<4, 4>(w2, 0x30303030));
      scales_[3] = signed_scales(moved_dword_bits<4, 0>(w1, 0x0F0F0F0F), moved_dword_bits<6, 4>(w2, 0x30303030));
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      const VU8 low = bits_of<2 * (J % 4)>(load_dwords(body_, 11 + 8 * (J / 4) + T), 3);
      return hn::Or(low, moved_bits<J, 2>(load_dwords(body_, 3 + T), 4));
    }
    HWY_INLINE VF32 d() const { return d_; }
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      return signed_byte_of<(2 * J + H) % 4>(scales_[(2 * J + H) / 4]);
    }

   private:
    const uint8_t* body_;

    /// Low and high bits joined, minus 32, in every byte.
    static HWY_INLINE VU32 signed_scales(VU32 low, VU32 high) {
      const VU8 biased = hn::BitCast(DU8(), hn::Or(low, high));
      return hn::BitCast(DU32(), hn::Sub(biased, hn::Set(DU8(), 32)));
    }

    VF32 d_;
    VU32 scales_[4];  // byte s of the 16: signed scale of sub-block s
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
