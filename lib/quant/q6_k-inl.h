// Q6_K: 256 elements in 210 bytes, 6.5625 bits per weight: 16 sub-blocks of 16 elements.
//
//   bytes 0-127    low 4 bits: with h = 0, 1 (halves of 128), p = 0 to 3, l = 0 to 31, element 128 h + 32 p + l is in
//                  byte 64 h + 32 (p % 2) + l, in the low nibble for p < 2, else the high one
//   bytes 128-191  high 2 bits: the same element is in bits 2p and 2p + 1 of byte 32 h + l
//   bytes 192-207  signed 8-bit scales sc, one per sub-block
//   bytes 208-209  d, half precision
//   value = (d * sc) * (q - 32) with q = low bits + 16 * high bits
// Source: GGUF specification, type 14.

#ifndef QUERN_QUANT_Q6_K_H_
#define QUERN_QUANT_Q6_K_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct Q6_K {
  struct Block {
    uint8_t ql[128];
    uint8_t qh[64];
    int8_t scales[16];
    uint16_t d;
  };
  static_assert(sizeof(Block) == 210);

  static constexpr tensor::DType kType = tensor::DType::q6_k;
  static constexpr const char* kName = "Q6_K";
  static constexpr uint32_t kBlockElems = 256;
  static constexpr Levels kLevels = {-32, 31};
  static constexpr uint32_t kSub = 16;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int e = 0; e < 256; ++e) {
      const int h = e / 128, p = e / 32 % 4, l = e % 32;
      const int low = block.ql[64 * h + 32 * (p % 2) + l] >> (p / 2 * 4) & 15;
      const int high = block.qh[32 * h + l] >> (2 * p) & 3;
      const float scale = d * static_cast<float>(block.scales[e / 16]);
      out[e] = scale * static_cast<float>((low | high << 4) - 32);
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<Q6_K>(blocks, out, n); }

  static void scales(const Block& block, float* scale, float* min) {
    const float d = base::f16_to_f32(block.d);
    for (int s = 0; s < 16; ++s) {
      scale[s] = d * static_cast<float>(block.scales[s]);
      min[s] = 0;
    }
  }
  static void put_levels(const int8_t* levels, Block& block) {
    std::memset(block.ql, 0, sizeof block.ql);
    std::memset(block.qh, 0, sizeof block.qh);
    for (int e = 0; e < 256; ++e) {
      const int code = levels[e] + 32;
      block.ql[e / 128 * 64 + e % 64] |= static_cast<uint8_t>((code & 15) << (e / 64 % 2 * 4));
      block.qh[e / 128 * 32 + e % 32] |= static_cast<uint8_t>((code >> 4) << (e / 32 % 4 * 2));
    }
  }
  static void pack(const int8_t* levels, const int8_t* sub_scales, uint16_t d, Block& block) {
    block.d = d;
    std::memcpy(block.scales, sub_scales, 16);
    put_levels(levels, block);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_Q6_K_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_Q6_K_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_Q6_K_PANEL_
#undef QUERN_QUANT_Q6_K_PANEL_
#else
#define QUERN_QUANT_Q6_K_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct Q6_KPanel {
  static constexpr size_t kGroup = Q6_K::kBlockElems, kBlockBytes = sizeof(Q6_K::Block);
  static constexpr size_t kHeadOffset = 208, kHeadBytes = 2, kSub = 16;
  static constexpr int kBiasLog2 = 5;
  // The scales; of each half the first 32 bytes of low bits, the high bits, the other low bits.
  static constexpr std::array<DwordRun, 7> kOrder{{{48, 4}, {0, 8}, {32, 8}, {8, 8}, {16, 8}, {40, 8}, {24, 8}}};
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group + kHeadBytes * kLanes), d_(load_f16(group)) {
      for (size_t i = 0; i < 4; ++i) scales_[i] = load_dwords(body_, i);
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      constexpr size_t kHalf = J / 4, kPart = J % 4;
      const VU8 low = bits_of<kPart / 2 * 4>(load_dwords(body_, 4 + 24 * kHalf + 16 * (kPart % 2) + T), 0x0F);
      return hn::Or(low, moved_bits<2 * kPart, 4>(load_dwords(body_, 12 + 24 * kHalf + T), 0x30));
    }
    HWY_INLINE VF32 d() const { return d_; }
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      return signed_byte_of<(2 * J + H) % 4>(scales_[(2 * J + H) / 4]);
    }

   private:
    const uint8_t* body_;
    VF32 d_;
    VU32 scales_[4];  // byte s of the 16: signed scale of sub-block s
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
