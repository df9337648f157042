// NVFP4: 64 elements in 36 bytes, 4.5 bits per weight: 4-bit floats (E2M1), 4 sub-blocks of 16 elements with a scale
// each (UE4M3).
//
//   bytes 0-3    scales, 8-bit floats of 4 exponent bits (bias 7) and 3 bits of mantissa; bit 7 has no meaning
//   bytes 4-35   8 bytes per sub-block: byte j holds element j (low nibble) and element j + 8 (high nibble)
//   value = code_times_2[q] * (scale / 2), code_times_2 in fp4.h
// The scale 0x7F, which stands for NaN in the format's origin, is 0 as in the reference tools.
// Files also have a number for the whole tensor, beside it: "X.scale" for "X.weight" (lib/model/bind.h).
// Source: GGUF specification, type 40; OCP 8-bit Floating Point Specification (E4M3).

#ifndef QUERN_QUANT_NVFP4_H_
#define QUERN_QUANT_NVFP4_H_

#include "lib/quant/block.h"
#include "lib/quant/fp4.h"

namespace quern::quant {

struct NVFP4 {
  struct Block {
    uint8_t scales[4];
    uint8_t qs[32];
  };
  static_assert(sizeof(Block) == 36);

  static constexpr tensor::DType kType = tensor::DType::nvfp4;
  static constexpr const char* kName = "NVFP4";
  static constexpr uint32_t kBlockElems = 64;

  /// Half of a scale, exactly: a half-precision number has the same mantissa and the exponents' bias 15.
  static float half_of_ue4m3(uint8_t x) {
    if (x == 0x7F) return 0.0f;
    return base::f16_to_f32(static_cast<uint16_t>((x & 0x7F) << 7)) * 128.0f;  // 2^(15 - 7) / 2
  }

  static void decode_block(const Block& block, float* out) {
    for (int e = 0; e < 64; ++e) {
      const int sub = e / 16, q = block.qs[sub * 8 + e % 8] >> (e / 8 % 2 * 4) & 15;
      out[e] = static_cast<float>(kFp4Times2[q]) * half_of_ue4m3(block.scales[sub]);
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<NVFP4>(blocks, out, n); }
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_NVFP4_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_NVFP4_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_NVFP4_PANEL_
#undef QUERN_QUANT_NVFP4_PANEL_
#else
#define QUERN_QUANT_NVFP4_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct NVFP4Panel {
  static constexpr size_t kGroup = NVFP4::kBlockElems, kBlockBytes = sizeof(NVFP4::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 0, kSub = 16;
  static constexpr int kBiasLog2 = 4;
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group), scales_(load_dwords(group, 0)) {}
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      const VU32 dword = load_dwords(body_, 1 + 4 * J + T / 4 * 2 + T % 2);
      return hn::TableLookupBytes(hn::LoadDup128(DU8(), kFp4Times2Biased), bits_of<T / 2 % 2 * 4>(dword, 0x0F));
    }
    template <size_t J, size_t H>
    HWY_INLINE VF32 scale() const {
      constexpr int kByte = 2 * J + H;
      const VF32 half = hn::Mul(f16_of<0>(moved_dword_bits<8 * kByte, 7>(scales_, 0x3F80)), hn::Set(DF32(), 128.0f));
      const auto is_nan = hn::Eq(byte_of<kByte>(scales_), hn::Set(DI32(), 0x7F));
      return hn::IfThenZeroElse(hn::RebindMask(DF32(), is_nan), half);
    }

   private:
    const uint8_t* body_;
    VU32 scales_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
