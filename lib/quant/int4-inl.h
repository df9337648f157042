// INT4: 128 elements in 68 bytes, 4.25 bits per weight: 4-bit codes with a zero point.
//
//   bytes 0-1    d, half precision
//   byte 2       z, the zero point, 0 to 15
//   byte 3       0
//   bytes 4-67   four times 32 4-bit codes q in nibble order: byte j of 16 holds element j (low nibble) and element
//                j + 16 (high nibble)
//   value = d * (q - z), exact in float32
// Source: GPTQ (Frantar et al., arXiv:2210.17323), AWQ (Lin et al., arXiv:2306.00978) and compressed-tensors
// checkpoints, whose codes, scales and zero points this holds as they are, in another order.

#ifndef QUERN_QUANT_INT4_H_
#define QUERN_QUANT_INT4_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct INT4 {
  struct Block {
    uint16_t d;
    uint8_t z;
    uint8_t zero;
    uint8_t qs[64];
  };
  static_assert(sizeof(Block) == 68);

  static constexpr tensor::DType kType = tensor::DType::int4;
  static constexpr const char* kName = "INT4";
  static constexpr uint32_t kBlockElems = 128;
  static constexpr Levels kLevels = {0, 15};
  static constexpr uint32_t kSub = 128;

  static int code(const Block& block, int e) { return nibble32(block.qs + e / 32 * 16, e % 32); }

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int e = 0; e < 128; ++e) out[e] = d * static_cast<float>(code(block, e) - block.z);
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<INT4>(blocks, out, n); }

  static void put_codes(const uint8_t* codes, Block& block) { pack_nibbles(codes, 128, block.qs); }
  static void scales(const Block& block, float* scale, float* min) {
    *scale = base::f16_to_f32(block.d);
    *min = *scale * static_cast<float>(block.z);
  }
  static void put_levels(const int8_t* levels, Block& block) {
    put_codes(reinterpret_cast<const uint8_t*>(levels), block);
  }
  static void pack(const uint8_t* codes, uint16_t d, uint8_t z, Block& block) {
    block.d = d;
    block.z = z;
    block.zero = 0;
    put_codes(codes, block);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_INT4_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_INT4_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_INT4_PANEL_
#undef QUERN_QUANT_INT4_PANEL_
#else
#define QUERN_QUANT_INT4_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct INT4Panel {
  static constexpr size_t kGroup = INT4::kBlockElems, kBlockBytes = sizeof(INT4::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 0, kSub = 32;
  static constexpr int kBiasLog2 = -1;
  static constexpr bool kHasMin = true, kFloat = false;
  static constexpr size_t kAlike = 32;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group) {
      const VU32 dz = load_dwords(body_, 0);
      d_ = f16_of<0>(dz);
      min_ = hn::Mul(d_, hn::ConvertTo(DF32(), byte_of<2>(dz)));
    }
    HWY_INLINE void next() { body_ += 4 * 4 * kLanes; }
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
