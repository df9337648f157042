// Q4_1: 32 elements in 20 bytes, 5 bits per weight.
//
//   bytes 0-1    d, half precision
//   bytes 2-3    m, half precision: the value of code 0
//   bytes 4-19   32 4-bit codes q in nibble order: byte j holds element j (low nibble) and element j + 16 (high nibble)
//   value = q * d + m
// Source: GGUF specification, type 3.

#ifndef QUERN_QUANT_Q4_1_H_
#define QUERN_QUANT_Q4_1_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct Q4_1 {
  struct Block {
    uint16_t d, m;
    uint8_t qs[16];
  };
  static_assert(sizeof(Block) == 20);

  static constexpr tensor::DType kType = tensor::DType::q4_1;
  static constexpr const char* kName = "Q4_1";
  static constexpr uint32_t kBlockElems = 32;
  static constexpr Levels kLevels = {0, 15};
  static constexpr uint32_t kSub = 32;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d), m = base::f16_to_f32(block.m);
    for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(nibble32(block.qs, j)) * d + m;
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<Q4_1>(blocks, out, n); }

  static void scales(const Block& block, float* scale, float* min) {
    *scale = base::f16_to_f32(block.d);
    *min = -base::f16_to_f32(block.m);
  }
  static void put_levels(const int8_t* codes, Block& block) {
    for (int j = 0; j < 16; ++j) block.qs[j] = static_cast<uint8_t>(codes[j] | codes[j + 16] << 4);
  }
  static void pack(const int8_t* codes, uint16_t d, uint16_t m, Block& block) {
    block.d = d;
    block.m = m;
    put_levels(codes, block);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_Q4_1_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_Q4_1_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_Q4_1_PANEL_
#undef QUERN_QUANT_Q4_1_PANEL_
#else
#define QUERN_QUANT_Q4_1_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct Q4_1Panel {
  static constexpr size_t kGroup = Q4_1::kBlockElems, kBlockBytes = sizeof(Q4_1::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 0, kSub = 32;
  static constexpr int kBiasLog2 = -1;
  static constexpr bool kHasMin = true, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group) {
      const VU32 dm = load_dwords(body_, 0);
      d_ = f16_of<0>(dm);
      min_ = hn::Neg(f16_of<1>(dm));
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return nibble_codes<T>(body_, 1);
    }
    template <size_t J, size_t H>
    HWY_INLINE VF32 scale() const {
      return d_;
    }
    template <size_t J, size_t H>
    HWY_INLINE VF32 min() const {
      return min_;
    }

   private:
    const uint8_t* body_;
    VF32 d_, min_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
