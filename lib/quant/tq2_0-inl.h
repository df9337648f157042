// TQ2_0: 256 elements in 66 bytes, 2.0625 bits per weight, three values.
//
//   bytes 0-63   2-bit codes q: with h = 0, 1 (halves of 128), p = 0 to 3, l = 0 to 31, element 128 h + 32 p + l is in
//                bits 2p and 2p + 1 of byte 32 h + l
//   bytes 64-65  d, half precision
//   value = (q - 1) * d; q = 3, which quantizers do not write, is 2 d
// Source: GGUF specification, type 35.

#ifndef QUERN_QUANT_TQ2_0_H_
#define QUERN_QUANT_TQ2_0_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct TQ2_0 {
  struct Block {
    uint8_t qs[64];
    uint16_t d;
  };
  static_assert(sizeof(Block) == 66);

  static constexpr tensor::DType kType = tensor::DType::tq2_0;
  static constexpr const char* kName = "TQ2_0";
  static constexpr uint32_t kBlockElems = 256;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int e = 0; e < 256; ++e) {
      const int q = block.qs[e / 128 * 32 + e % 32] >> (e / 32 % 4 * 2) & 3;
      out[e] = static_cast<float>(q - 1) * d;
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<TQ2_0>(blocks, out, n); }

  /// Levels -1, 0, 1.
  static void pack(const int8_t* levels, uint16_t d, Block& block) {
    block = {{}, d};
    for (int e = 0; e < 256; ++e) {
      block.qs[e / 128 * 32 + e % 32] |= static_cast<uint8_t>((levels[e] + 1) << (e / 32 % 4 * 2));
    }
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_TQ2_0_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_TQ2_0_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_TQ2_0_PANEL_
#undef QUERN_QUANT_TQ2_0_PANEL_
#else
#define QUERN_QUANT_TQ2_0_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct TQ2_0Panel {
  static constexpr size_t kGroup = TQ2_0::kBlockElems, kBlockBytes = sizeof(TQ2_0::Block);
  static constexpr size_t kHeadOffset = 64, kHeadBytes = 2, kSub = 32;
  static constexpr int kBiasLog2 = 0;
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group + kHeadBytes * kLanes), d_(load_f16(group)) {}
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return bits_of<2 * (J % 4)>(load_dwords(body_, 8 * (J / 4) + T), 3);
    }
    HWY_INLINE VF32 d() const { return d_; }
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      return hn::Set(DI32(), 1);
    }

   private:
    const uint8_t* body_;
    VF32 d_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
