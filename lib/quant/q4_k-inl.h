// Q4_K: 256 elements in 144 bytes, 4.5 bits per weight: 8 sub-blocks of 32 elements.
//
//   bytes 0-1    d, half precision
//   bytes 2-3    dmin, half precision
//   bytes 4-15   8 scales sc and 8 minima m of 6 bits, packed as scales_6bit.h says
//   bytes 16-143 4-bit codes q in 4 chunks of 32 bytes: chunk c holds sub-block 2c (low nibbles) and 2c + 1
//                (high nibbles), element l of both in byte l
//   value = (d * sc) * q - (dmin * m)
// Source: GGUF specification, type 12.

#ifndef QUERN_QUANT_Q4_K_H_
#define QUERN_QUANT_Q4_K_H_

#include "lib/quant/block.h"
#include "lib/quant/scales_6bit.h"

namespace quern::quant {

struct Q4_K {
  struct Block {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qs[128];
  };
  static_assert(sizeof(Block) == 144);

  static constexpr tensor::DType kType = tensor::DType::q4_k;
  static constexpr const char* kName = "Q4_K";
  static constexpr uint32_t kBlockElems = 256;
  static constexpr Levels kLevels = {0, 15};
  static constexpr uint32_t kSub = 32;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d), dmin = base::f16_to_f32(block.dmin);
    for (int j = 0; j < 8; ++j) {
      const ScaleMin sub = scale_min_6bit(block.scales, j);
      const float scale = d * static_cast<float>(sub.scale), min = dmin * static_cast<float>(sub.min);
      for (int l = 0; l < 32; ++l) {
        const int q = block.qs[j / 2 * 32 + l] >> (j % 2 * 4) & 15;
        out[32 * j + l] = scale * static_cast<float>(q) - min;
      }
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<Q4_K>(blocks, out, n); }

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
    for (int e = 0; e < 256; ++e) block.qs[e / 64 * 32 + e % 32] |= static_cast<uint8_t>(codes[e] << (e / 32 % 2 * 4));
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

#endif  // QUERN_QUANT_Q4_K_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_Q4_K_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_Q4_K_PANEL_
#undef QUERN_QUANT_Q4_K_PANEL_
#else
#define QUERN_QUANT_Q4_K_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct Q4_KPanel {
  static constexpr size_t kGroup = Q4_K::kBlockElems, kBlockBytes = sizeof(Q4_K::Block);
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
      return bits_of<J % 2 * 4>(load_dwords(body_, 4 + 8 * (J / 2) + T), 0x0F);
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
