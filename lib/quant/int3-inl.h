// INT3: 128 elements in 52 bytes, 3.25 bits per weight: 3-bit codes with a zero point.
//
//   bytes 0-1    d, half precision
//   byte 2       z, the zero point, 0 to 15
//   byte 3       0
//   bytes 4-51   12 bytes for every 32 elements. Bytes 0-7, low two bits of the codes q: 4 bytes for every 16 elements,
//                element j of which is in byte j % 4, from bit 2 (j / 4) on. Bytes 8-11, their high bits: that of
//                element j of 32 in byte j % 4, bit j / 4.
//   value = d * (q - z), exact in float32
// Source: GPTQ (Frantar et al., arXiv:2210.17323), AWQ (Lin et al., arXiv:2306.00978) and compressed-tensors
// checkpoints, whose codes, scales and zero points this holds as they are, in another order.

#ifndef QUERN_QUANT_INT3_H_
#define QUERN_QUANT_INT3_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct INT3 {
  struct Block {
    uint16_t d;
    uint8_t z;
    uint8_t zero;
    uint8_t qs[48];
  };
  static_assert(sizeof(Block) == 52);

  static constexpr tensor::DType kType = tensor::DType::int3;
  static constexpr const char* kName = "INT3";
  static constexpr uint32_t kBlockElems = 128;
  static constexpr Levels kLevels = {0, 7};
  static constexpr uint32_t kSub = 128;

  static int code(const Block& block, int e) {
    const uint8_t* const part = block.qs + e / 32 * 12;
    const int low = part[e % 32 / 16 * 4 + e % 4] >> (e % 16 / 4 * 2) & 3;
    return low | (part[8 + e % 4] >> (e % 32 / 4) & 1) << 2;
  }

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    for (int e = 0; e < 128; ++e) out[e] = d * static_cast<float>(code(block, e) - block.z);
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<INT3>(blocks, out, n); }

  static void put_codes(const uint8_t* codes, Block& block) {
    for (int part = 0; part < 4; ++part) {
      uint32_t words[3] = {};  // low bits of 16 and of 16, high bits of 32
      for (int i = 0; i < 8; ++i) {
        const uint32_t four = load<uint32_t>(codes + 32 * part + 4 * i);
        words[i / 4] |= (four & 0x03030303u) << (i % 4 * 2);
        words[2] |= (four >> 2 & 0x01010101u) << i;
      }
      std::memcpy(block.qs + 12 * part, words, sizeof words);
    }
  }
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

#endif  // QUERN_QUANT_INT3_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_INT3_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_INT3_PANEL_
#undef QUERN_QUANT_INT3_PANEL_
#else
#define QUERN_QUANT_INT3_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct INT3Panel {
  static constexpr size_t kGroup = INT3::kBlockElems, kBlockBytes = sizeof(INT3::Block);
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
    HWY_INLINE void next() { body_ += 3 * 4 * kLanes; }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      const VU8 low = bits_of<2 * (T % 4)>(load_dwords(body_, 1 + T / 4), 3);
      return hn::Or(low, moved_bits<T, 2>(load_dwords(body_, 3), 4));
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
