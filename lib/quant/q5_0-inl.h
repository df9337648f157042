// Q5_0: 32 elements in 22 bytes, 5.5 bits per weight.
//
//   bytes 0-1    d, half precision
//   bytes 2-5    the fifth bits, a 32-bit number: bit j belongs to element j
//   bytes 6-21   the low 4 bits in nibble order: byte j holds element j (low nibble) and element j + 16 (high nibble)
//   value = (q - 16) * d with q = nibble + 16 * fifth bit
// Source: GGUF specification, type 6.

#ifndef QUERN_QUANT_Q5_0_H_
#define QUERN_QUANT_Q5_0_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct Q5_0 {
  struct Block {
    uint16_t d;
    uint8_t qh[4];
    uint8_t qs[16];
  };
  static_assert(sizeof(Block) == 22);

  static constexpr tensor::DType kType = tensor::DType::q5_0;
  static constexpr const char* kName = "Q5_0";
  static constexpr uint32_t kBlockElems = 32;
  static constexpr Levels kLevels = {-16, 15};
  static constexpr uint32_t kSub = 32;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int j = 0; j < 32; ++j) {
      const int high = block.qh[j / 8] >> (j % 8) & 1;
      out[j] = static_cast<float>((nibble32(block.qs, j) | high << 4) - 16) * d;
    }
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<Q5_0>(blocks, out, n); }

  static void scales(const Block& block, float* scale, float* min) {
    *scale = base::f16_to_f32(block.d);
    *min = 0;
  }
  static void put_levels(const int8_t* levels, Block& block) {
    uint32_t fifth = 0;
    for (int j = 0; j < 32; ++j) fifth |= static_cast<uint32_t>((levels[j] + 16) >> 4) << j;
    std::memcpy(block.qh, &fifth, 4);
    for (int j = 0; j < 16; ++j) {
      block.qs[j] = static_cast<uint8_t>(((levels[j] + 16) & 15) | ((levels[j + 16] + 16) & 15) << 4);
    }
  }
  static void pack(const int8_t* levels, uint16_t d, Block& block) {
    block.d = d;
    put_levels(levels, block);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_Q5_0_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_Q5_0_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_Q5_0_PANEL_
#undef QUERN_QUANT_Q5_0_PANEL_
#else
#define QUERN_QUANT_Q5_0_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct Q5_0Panel {
  static constexpr size_t kGroup = Q5_0::kBlockElems, kBlockBytes = sizeof(Q5_0::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 2, kSub = 32;
  static constexpr int kBiasLog2 = 4;
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group + kHeadBytes * kLanes), d_(load_f16(group)) {}
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return with_flags<T>(nibble_codes<T>(body_, 1), load_dwords(body_, 0), 16);
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
