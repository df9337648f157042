// IQ4_XS: 256 elements in 136 bytes, 4.25 bits per weight: 8 sub-blocks of 32 elements with a non-linear codebook.
//
//   bytes 0-1    d, half precision
//   bytes 2-3    high 2 bits of the scales, a 16-bit number: bits 2j and 2j + 1 belong to sub-block j
//   bytes 4-7    low 4 bits of the scales: sub-block j is in byte j / 2, the low nibble for even j, else the high one
//   bytes 8-135  4-bit codes q, 16 bytes per sub-block in nibble order: byte l holds element l (low nibble) and element
//                l + 16 (high nibble)
//   value = (d * (sc - 32)) * codebook[q], the codebook of iq4_codebook.h
// Source: GGUF specification, type 23.

#ifndef QUERN_QUANT_IQ4_XS_H_
#define QUERN_QUANT_IQ4_XS_H_

#include "lib/quant/block.h"
#include "lib/quant/iq4_codebook.h"

namespace quern::quant {

struct IQ4_XS {
  struct Block {
    uint16_t d;
    uint16_t scales_high;
    uint8_t scales_low[4];
    uint8_t qs[128];
  };
  static_assert(sizeof(Block) == 136);

  static constexpr tensor::DType kType = tensor::DType::iq4_xs;
  static constexpr const char* kName = "IQ4_XS";
  static constexpr uint32_t kBlockElems = 256;
  static constexpr Levels kLevels = {-127, 113, kIq4Codebook, 16};
  static constexpr uint32_t kSub = 32;

  /// The signed scale of sub-block j, -32 to 31.
  static int sub_scale(const Block& block, int j) {
    const int low = block.scales_low[j / 2] >> (j % 2 * 4) & 15, high = block.scales_high >> (2 * j) & 3;
    return (low | high << 4) - 32;
  }

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int j = 0; j < 8; ++j) {
      const float scale = d * static_cast<float>(sub_scale(block, j));
      for (int l = 0; l < 32; ++l) {
        out[32 * j + l] = scale * static_cast<float>(kIq4Codebook[nibble32(block.qs + 16 * j, l)]);
      }
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<IQ4_XS>(blocks, out, n); }

  static void scales(const Block& block, float* scale, float* min) {
    const float d = base::f16_to_f32(block.d);
    for (int b = 0; b < 8; ++b) {
      scale[b] = d * static_cast<float>(sub_scale(block, b));
      min[b] = 0;
    }
  }
  static void put_levels(const int8_t* levels, Block& block) {
    for (int b = 0; b < 8; ++b) {
      for (int j = 0; j < 16; ++j) {
        const int8_t* at = levels + 32 * b + j;
        block.qs[16 * b + j] = static_cast<uint8_t>(iq4_code(at[0]) | iq4_code(at[16]) << 4);
      }
    }
  }
  static void pack(const int8_t* levels, const int8_t* sub_scales, uint16_t d, Block& block) {
    block.d = d;
    block.scales_high = 0;
    std::memset(block.scales_low, 0, sizeof block.scales_low);
    for (int b = 0; b < 8; ++b) {
      const int code = sub_scales[b] + 32;
      block.scales_low[b / 2] |= static_cast<uint8_t>((code & 15) << (b % 2 * 4));
      block.scales_high = static_cast<uint16_t>(block.scales_high | (code >> 4) << (2 * b));
    }
    put_levels(levels, block);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_IQ4_XS_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_IQ4_XS_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_IQ4_XS_PANEL_
#undef QUERN_QUANT_IQ4_XS_PANEL_
#else
#define QUERN_QUANT_IQ4_XS_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct IQ4_XSPanel {
  static constexpr size_t kGroup = IQ4_XS::kBlockElems, kBlockBytes = sizeof(IQ4_XS::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 0, kSub = 32;
  static constexpr int kBiasLog2 = 7;
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group)
        : body_(group), d_high_(load_dwords(group, 0)), low_(load_dwords(group, 1)) {
      d_ = f16_of<0>(d_high_);
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return table_codes<T>(body_, 2 + 4 * J, kIq4CodebookBiased);
    }
    HWY_INLINE VF32 d() const { return d_; }
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      const VU32 low = moved_dword_bits<4 * J, 0>(low_, 0x0F), high = moved_dword_bits<16 + 2 * J, 4>(d_high_, 0x30);
      return hn::Sub(hn::BitCast(DI32(), hn::Or(low, high)), hn::Set(DI32(), 32));
    }

   private:
    const uint8_t* body_;
    VU32 d_high_, low_;  // d and the high bits of the scales; their low bits
    VF32 d_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
