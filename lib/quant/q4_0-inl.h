// Q4_0: 32 elements in 18 bytes, 4.5 bits per weight.
//
//   bytes 0-1    d, half precision
//   bytes 2-17   32 4-bit codes q in nibble order: byte j holds element j (low nibble) and element j + 16 (high nibble)
//   value = (q - 8) * d
// Source: GGUF specification, type 2.

#ifndef QUERN_QUANT_Q4_0_H_
#define QUERN_QUANT_Q4_0_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct Q4_0 {
  struct Block {
    uint16_t d;
    uint8_t qs[16];
  };
  static_assert(sizeof(Block) == 18);

  static constexpr tensor::DType kType = tensor::DType::q4_0;
  static constexpr const char* kName = "Q4_0";
  static constexpr uint32_t kBlockElems = 32;
  static constexpr Levels kLevels = {-8, 7};
  static constexpr uint32_t kSub = 32;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(nibble32(block.qs, j) - 8) * d;
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<Q4_0>(blocks, out, n); }

  static void scales(const Block& block, float* scale, float* min) {
    *scale = base::f16_to_f32(block.d);
    *min = 0;
  }
  static void put_levels(const int8_t* levels, Block& block) {
    for (int j = 0; j < 16; ++j) block.qs[j] = static_cast<uint8_t>((levels[j] + 8) | (levels[j + 16] + 8) << 4);
  }
  static void pack(const int8_t* levels, uint16_t d, Block& block) {
    block.d = d;
    put_levels(levels, block);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_Q4_0_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_Q4_0_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_Q4_0_PANEL_
#undef QUERN_QUANT_Q4_0_PANEL_
#else
#define QUERN_QUANT_Q4_0_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct Q4_0Panel {
  static constexpr size_t kGroup = Q4_0::kBlockElems, kBlockBytes = sizeof(Q4_0::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 2, kSub = 32;
  static constexpr int kBiasLog2 = 3;
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group + kHeadBytes * kLanes), d_(load_f16(group)) {}
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return nibble_codes<T>(body_, 0);
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
