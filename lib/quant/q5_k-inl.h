// Q5_K: 256 elements in 176 bytes, 5.5 bits per weight: 8 sub-blocks of 32 elements.
//
//   bytes 0-1    d, half precision
//   bytes 2-3    dmin, half precision
//   bytes 4-15   8 scales sc and 8 minima m of 6 bits, packed as scales_6bit.h says
//   bytes 16-47  fifth bits: element l of sub-block j is in bit j of byte l
//   bytes 48-175 the low 4 bits in 4 chunks of 32 bytes: chunk c holds sub-block 2c (low nibbles) and 2c + 1
//                (high nibbles), element l of both in byte l
//   value = (d * sc) * q - (dmin * m) with q = nibble + 16 * fifth bit
// Source: GGUF specification, type 13.

#ifndef QUERN_QUANT_Q5_K_H_
#define QUERN_QUANT_Q5_K_H_

#include "lib/quant/block.h"
#include "lib/quant/scales_6bit.h"

namespace quern::quant {

struct Q5_K {
  struct Block {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qh[32];
    uint8_t qs[128];
  };
  static_assert(sizeof(Block) == 176);

  static constexpr tensor::DType kType = tensor::DType::q5_k;
  static constexpr const char* kName = "Q5_K";
  static constexpr uint32_t kBlockElems = 256;
  static constexpr Levels kLevels = {0, 31};
  static constexpr uint32_t kSub = 32;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d), dmin = base::f16_to_f32(block.dmin);
    for (int j = 0; j < 8; ++j) {
      const ScaleMin sub = scale_min_6bit(block.scales, j);
      const float scale = d * static_cast<float>(sub.scale), min = dmin * static_cast<float>(sub.min);
      for (int l = 0; l < 32; ++l) {
        const int low = block.qs[j / 2 * 32 + l] >> (j % 2 * 4) & 15, high = block.qh[l] >> j & 1;
        out[32 * j + l] = scale * static_cast<float>(low | high << 4) - min;
      }
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<Q5_K>(blocks, out, n); }

  static void scales(const Block& block, float* scale, float* min) {
    const float d = base::f16_to_f32(block.d), dmin = base::f16_to_f32(block.dmin);
    for (int j = 0; j < 8; ++j) {
      const ScaleMin packed = scale_min_6bit(block.scales, j);
      scale[j] = d * static_cast<float>(packed.scale);
      min[j] = dmin * static_cast<float>(packed.min);
    }
  }
  static void put_levels(const int8_t* codes, Block& block) {
    std::memset(block.qs, 0, sizeof block.qs);
    std::memset(block.qh, 0, sizeof block.qh);
    for (int e = 0; e < 256; ++e) {
      block.qs[e / 64 * 32 + e % 32] |= static_cast<uint8_t>((codes[e] & 15) << (e / 32 % 2 * 4));
      block.qh[e % 32] |= static_cast<uint8_t>((codes[e] >> 4) << (e / 32));
    }
  }
  static void pack(const int8_t* codes, const uint8_t* sub_scales, const uint8_t* mins, uint16_t d, uint16_t dmin,
                   Block& block) {
    block.d = d;
    block.dmin = dmin;
    pack_6bit(sub_scales, mins, block.scales);
    put_levels(codes, block);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_Q5_K_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_Q5_K_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_Q5_K_PANEL_
#undef QUERN_QUANT_Q5_K_PANEL_
#else
#define QUERN_QUANT_Q5_K_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct Q5_KPanel {
  static constexpr size_t kGroup = Q5_K::kBlockElems, kBlockBytes = sizeof(Q5_K::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 0, kSub = 32;
  static constexpr int kBiasLog2 = -1;
  static constexpr bool kHasMin = true, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group), sub_(group, 1) {
      const VU32 dd = load_dwords(body_, 0);
      d_ = f16_of<0>(dd);
      dmin_ = f16_of<1>(dd);
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      const VU8 low = bits_of<J % 2 * 4>(load_dwords(body_, 12 + 8 * (J / 2) + T), 0x0F);
      return hn::Or(low, moved_bits<J, 4>(load_dwords(body_, 4 + T), 0x10));
    }
    HWY_INLINE VF32 d() const { return d_; }
    HWY_INLINE VF32 dmin() const { return dmin_; }
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      return byte_of<J % 4>(sub_.scales[J / 4]);
    }
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_min() const {
      return byte_of<J % 4>(sub_.mins[J / 4]);
    }

   private:
    const uint8_t* body_;
    ScalesMins6bit sub_;
    VF32 d_, dmin_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
