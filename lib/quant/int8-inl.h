// INT8: 128 elements in 132 bytes, 8.25 bits per weight: 8-bit codes with a zero point.
//
//   bytes 0-1    d, half precision
//   byte 2       z, the zero point, signed
//   byte 3       0
//   bytes 4-131  128 signed 8-bit codes q
//   value = d * (q - z), exact in float32
// Source: GPTQ and compressed-tensors checkpoints of 8 bits; LLM.int8() (Dettmers et al., arXiv:2208.07339), where z is
// 0.

#ifndef QUERN_QUANT_INT8_H_
#define QUERN_QUANT_INT8_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct INT8 {
  struct Block {
    uint16_t d;
    int8_t z;
    uint8_t zero;
    int8_t qs[128];
  };
  static_assert(sizeof(Block) == 132);

  static constexpr tensor::DType kType = tensor::DType::int8;
  static constexpr const char* kName = "INT8";
  static constexpr uint32_t kBlockElems = 128;
  static constexpr Levels kLevels = {-128, 127};
  static constexpr uint32_t kSub = 128;

  static int code(const Block& block, int e) { return block.qs[e]; }

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int e = 0; e < 128; ++e) out[e] = d * static_cast<float>(code(block, e) - block.z);
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<INT8>(blocks, out, n); }

  static void scales(const Block& block, float* scale, float* min) {
    *scale = base::f16_to_f32(block.d);
    *min = *scale * static_cast<float>(block.z);
  }
  static void put_levels(const int8_t* codes, Block& block) { std::memcpy(block.qs, codes, 128); }
  static void pack(const int8_t* codes, uint16_t d, int8_t z, Block& block) {
    block.d = d;
    block.z = z;
    block.zero = 0;
    put_levels(codes, block);
  }
  static void pack(const int8_t* codes, uint16_t d, Block& block) { pack(codes, d, 0, block); }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_INT8_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_INT8_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_INT8_PANEL_
#undef QUERN_QUANT_INT8_PANEL_
#else
#define QUERN_QUANT_INT8_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct INT8Panel {
  static constexpr size_t kGroup = INT8::kBlockElems, kBlockBytes = sizeof(INT8::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 0, kSub = 32;
  static constexpr int kBiasLog2 = 7;
  static constexpr bool kHasMin = true, kFloat = false;
  static constexpr size_t kAlike = 32;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group) {
      const VU32 dz = load_dwords(body_, 0);
      d_ = f16_of<0>(dz);
      min_ = hn::Mul(d_, hn::ConvertTo(DF32(), signed_byte_of<2>(dz)));
    }
    HWY_INLINE void next() { body_ += 8 * 4 * kLanes; }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return hn::Xor(hn::BitCast(DU8(), load_dwords(body_, 1 + T)), hn::Set(DU8(), 0x80));  // q + 128, unsigned
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
