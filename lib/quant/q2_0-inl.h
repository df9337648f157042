// Q2_0: 64 elements in 18 bytes, 2.25 bits per weight.
//
//   bytes 0-1    d, half precision
//   bytes 2-17   2-bit codes q: element j is in bits 2 (j % 4) and up of byte j / 4
//   value = (q - 1) * d
// Source: GGUF specification, type 42.

#ifndef QUERN_QUANT_Q2_0_H_
#define QUERN_QUANT_Q2_0_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct Q2_0 {
  struct Block {
    uint16_t d;
    uint8_t qs[16];
  };
  static_assert(sizeof(Block) == 18);

  static constexpr tensor::DType kType = tensor::DType::q2_0;
  static constexpr const char* kName = "Q2_0";
  static constexpr uint32_t kBlockElems = 64;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int j = 0; j < 64; ++j) out[j] = static_cast<float>((block.qs[j / 4] >> (j % 4 * 2) & 3) - 1) * d;
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<Q2_0>(blocks, out, n); }

  /// Levels -1 to 2.
  static void pack(const int8_t* levels, uint16_t d, Block& block) {
    block = {d, {}};
    for (int j = 0; j < 64; ++j) block.qs[j / 4] |= static_cast<uint8_t>((levels[j] + 1) << (j % 4 * 2));
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_Q2_0_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_Q2_0_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_Q2_0_PANEL_
#undef QUERN_QUANT_Q2_0_PANEL_
#else
#define QUERN_QUANT_Q2_0_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct Q2_0Panel {
  static constexpr size_t kGroup = Q2_0::kBlockElems, kBlockBytes = sizeof(Q2_0::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 2, kSub = 32;
  static constexpr int kBiasLog2 = 0;
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group + kHeadBytes * kLanes), d_(load_f16(group)) {}
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return spread_2_bits<T % 4>(load_dwords(body_, 2 * J + T / 4));
    }
    template <size_t J, size_t H>
    HWY_INLINE VF32 scale() const {
      return d_;
    }

   private:
    const uint8_t* body_;
    VF32 d_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
