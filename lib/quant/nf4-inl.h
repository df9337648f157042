// NF4: 64 elements in 36 bytes, 4.5 bits per weight: the codes of a normal distribution.
//
//   bytes 0-3    absmax, float32: the largest magnitude of the block
//   bytes 4-35   twice 32 4-bit codes q in nibble order: byte j of 16 holds element j (low nibble) and element j + 16
//                (high nibble)
//   value = values[q] * absmax, the table of bitsandbytes.h
// Files have two neighbours in a byte instead, the first one in the high nibble, and absmax in a tensor of its own.
// Source: Dettmers et al., QLoRA (arXiv:2305.14314); bitsandbytes, quantization type "nf4".

#ifndef QUERN_QUANT_NF4_H_
#define QUERN_QUANT_NF4_H_

#include "lib/quant/bitsandbytes.h"
#include "lib/quant/block.h"

namespace quern::quant {

struct NF4 {
  struct Block {
    float absmax;
    uint8_t qs[32];
  };
  static_assert(sizeof(Block) == 36);

  static constexpr tensor::DType kType = tensor::DType::nf4;
  static constexpr const char* kName = "NF4";
  static constexpr uint32_t kBlockElems = 64;
  static constexpr const Codebook4bit& kCodebook = kNf4;

  static int code(const Block& block, int e) { return nibble32(block.qs + e / 32 * 16, e % 32); }
  static float absmax(const Block& block, int) { return block.absmax; }

  static void decode_block(const Block& block, float* out) {
    for (int e = 0; e < 64; ++e) out[e] = kCodebook.values[static_cast<size_t>(code(block, e))] * block.absmax;
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<NF4>(blocks, out, n); }

  static void pack(const uint8_t* codes, float absmax, Block& block) {
    block.absmax = absmax;
    pack_nibbles(codes, 64, block.qs);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_NF4_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_NF4_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_NF4_PANEL_
#undef QUERN_QUANT_NF4_PANEL_
#else
#define QUERN_QUANT_NF4_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

/// With whole numbers instead of the values: see Codebook4bit.
struct NF4Panel {
  static constexpr size_t kGroup = NF4::kBlockElems, kBlockBytes = sizeof(NF4::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 0, kSub = 32;
  static constexpr int kBiasLog2 = 7;
  static constexpr bool kHasMin = false, kFloat = false;
  static constexpr size_t kAlike = 32;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group)
        : body_(group),
          scale_(hn::Mul(hn::BitCast(DF32(), load_dwords(group, 0)), hn::Set(DF32(), NF4::kCodebook.step))) {}
    HWY_INLINE void next() { body_ += 4 * 4 * kLanes; }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return table_codes<T>(body_, 1, NF4::kCodebook.biased.data());
    }
    template <size_t J, size_t H>
    HWY_INLINE VF32 scale() const {
      return scale_;
    }

   private:
    const uint8_t* body_;
    VF32 scale_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
