// MXFP4: 32 elements in 17 bytes, 4.25 bits per weight: 4-bit floats (E2M1) with a shared power-of-two scale (E8M0).
//
//   byte 0       e: the scale 2^(e - 127)
//   bytes 1-16   32 4-bit codes q in nibble order: byte j holds element j (low nibble) and element j + 16 (high nibble)
//   value = code_times_2[q] * 2^(e - 128), code_times_2 in fp4.h
// e = 0 and 1 give a subnormal half scale. e = 255, which OCP reserves for NaN, scales by 2^127 as in the reference
// tools.
// Source: OCP Microscaling Formats (MX) Specification v1.0 (formats MXFP4, E2M1, E8M0); GGUF specification, type 39.

#ifndef QUERN_QUANT_MXFP4_H_
#define QUERN_QUANT_MXFP4_H_

#include "lib/quant/block.h"
#include "lib/quant/fp4.h"

namespace quern::quant {

struct MXFP4 {
  struct Block {
    uint8_t e;
    uint8_t qs[16];
  };
  static_assert(sizeof(Block) == 17);

  static constexpr tensor::DType kType = tensor::DType::mxfp4;
  static constexpr const char* kName = "MXFP4";
  static constexpr uint32_t kBlockElems = 32;

  /// 2^(e - 128), exactly.
  static float half_of_e8m0(uint8_t e) {
    return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23);
  }

  static void decode_block(const Block& block, float* out) {
    const float half_scale = half_of_e8m0(block.e);
    for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(kFp4Times2[nibble32(block.qs, j)]) * half_scale;
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<MXFP4>(blocks, out, n); }

  static void pack(const int8_t* levels, uint8_t e, Block& block) {
    block.e = e;
    for (int j = 0; j < 16; ++j) {
      block.qs[j] = static_cast<uint8_t>(fp4_code(levels[j]) | fp4_code(levels[j + 16]) << 4);
    }
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_MXFP4_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_MXFP4_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_MXFP4_PANEL_
#undef QUERN_QUANT_MXFP4_PANEL_
#else
#define QUERN_QUANT_MXFP4_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct MXFP4Panel {
  static constexpr size_t kGroup = MXFP4::kBlockElems, kBlockBytes = sizeof(MXFP4::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 1, kSub = 32;
  static constexpr int kBiasLog2 = 4;
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group + kHeadBytes * kLanes) {
      const hn::Rebind<uint8_t, DI32> du8;
      const VI32 e = hn::PromoteTo(DI32(), hn::LoadU(du8, group));
      const VI32 normal = hn::ShiftLeft<23>(hn::Sub(e, hn::Set(DI32(), 1)));
      const VI32 subnormal = hn::ShiftLeft<21>(hn::Add(e, hn::Set(DI32(), 1)));  // 2^-128 for e = 0, 2^-127 for e = 1
      scale_ = hn::BitCast(DF32(), hn::IfThenElse(hn::Lt(e, hn::Set(DI32(), 2)), subnormal, normal));
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return table_codes<T>(body_, 0, kFp4Times2Biased);
    }
    template <size_t J, size_t H>
    HWY_INLINE VF32 scale() const {
      return scale_;
    }

   private:
    const uint8_t* body_;
    VF32 scale_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
