// Q8_0: 32 elements in 34 bytes, 8.5 bits per weight.
//
//   bytes 0-1    d, half precision
//   bytes 2-33   32 signed 8-bit codes q
//   value = q * d
// Source: GGUF specification, type 8.

#ifndef QUERN_QUANT_Q8_0_H_
#define QUERN_QUANT_Q8_0_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct Q8_0 {
  struct Block {
    uint16_t d;
    int8_t qs[32];
  };
  static_assert(sizeof(Block) == 34);

  static constexpr tensor::DType kType = tensor::DType::q8_0;
  static constexpr const char* kName = "Q8_0";
  static constexpr uint32_t kBlockElems = 32;
  static constexpr Levels kLevels = {-127, 127};
  static constexpr uint32_t kSub = 32;

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(block.qs[j]) * d;
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<Q8_0>(blocks, out, n); }

  static void scales(const Block& block, float* scale, float* min) {
    *scale = base::f16_to_f32(block.d);
    *min = 0;
  }
  static void put_levels(const int8_t* levels, Block& block) { std::memcpy(block.qs, levels, 32); }
  static void pack(const int8_t* levels, uint16_t d, Block& block) {
    block.d = d;
    put_levels(levels, block);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_Q8_0_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_Q8_0_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_Q8_0_PANEL_
#undef QUERN_QUANT_Q8_0_PANEL_
#else
#define QUERN_QUANT_Q8_0_PANEL_
#endif

#include "lib/quant/panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct Q8_0Panel {
  static constexpr size_t kGroup = Q8_0::kBlockElems, kBlockBytes = sizeof(Q8_0::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 2, kSub = 32;
  static constexpr int kBiasLog2 = 7;
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group + kHeadBytes * kLanes), d_(load_f16(group)) {}
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return hn::Xor(hn::BitCast(DU8(), load_dwords(body_, T)), hn::Set(DU8(), 0x80));  // q + 128, unsigned
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
