// Q1_0: 128 elements in 18 bytes, 1.125 bits per weight: signs.
//
//   bytes 0-1    d, half precision
//   bytes 2-17   bit j % 8 of byte j / 8 is set where element j is d, clear where it is -d
// Source: GGUF specification, type 41.

#ifndef QUERN_QUANT_Q1_0_H_
#define QUERN_QUANT_Q1_0_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct Q1_0 {
  struct Block {
    uint16_t d;
    uint8_t bits[16];
  };
  static_assert(sizeof(Block) == 18);

  static constexpr tensor::DType kType = tensor::DType::q1_0;
  static constexpr const char* kName = "Q1_0";
  static constexpr uint32_t kBlockElems = 128;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int j = 0; j < 128; ++j) out[j] = (block.bits[j / 8] >> (j % 8) & 1) != 0 ? d : -d;
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<Q1_0>(blocks, out, n); }

  /// Levels -1 and 1.
  static void pack(const int8_t* levels, uint16_t d, Block& block) {
    block = {d, {}};
    for (int j = 0; j < 128; ++j) block.bits[j / 8] |= static_cast<uint8_t>((levels[j] > 0 ? 1 : 0) << (j % 8));
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_Q1_0_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_Q1_0_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_Q1_0_PANEL_
#undef QUERN_QUANT_Q1_0_PANEL_
#else
#define QUERN_QUANT_Q1_0_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct Q1_0Panel {
  static constexpr size_t kGroup = Q1_0::kBlockElems, kBlockBytes = sizeof(Q1_0::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 2, kSub = 32;
  static constexpr int kBiasLog2 = 0;
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group + kHeadBytes * kLanes), d_(load_f16(group)) {}
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return with_flags<T>(hn::Zero(DU8()), load_dwords(body_, J), 2);
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
