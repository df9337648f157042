// BF16: the upper 16 bits of an IEEE 754 binary32, one element per block. Source: GGUF specification, type 30.

#ifndef QUERN_QUANT_BF16_H_
#define QUERN_QUANT_BF16_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct BF16 {
  struct Block {
    uint16_t bits;
  };
  static_assert(sizeof(Block) == 2);

  static constexpr tensor::DType kType = tensor::DType::bf16;
  static constexpr const char* kName = "BF16";
  static constexpr uint32_t kBlockElems = 1;

  static void decode_block(const Block& block, float* out) { out[0] = base::bf16_to_f32(block.bits); }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<BF16>(blocks, out, n); }

  static void encode(const float* x, const float*, size_t n, std::byte* blocks) {
    for (size_t i = 0; i < n; ++i) store(Block{base::f32_to_bf16(x[i])}, blocks + i * sizeof(Block));
  }
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_BF16_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_BF16_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_BF16_PANEL_
#undef QUERN_QUANT_BF16_PANEL_
#else
#define QUERN_QUANT_BF16_PANEL_
#endif

#include "lib/quant/panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct BF16Panel {
  static constexpr size_t kGroup = 1, kBlockBytes = sizeof(BF16::Block), kHeadOffset = 0, kHeadBytes = kBlockBytes;
  static constexpr bool kFloat = true;

  /// kLanes consecutive elements: one of each row.
  static HWY_INLINE VF32 load(const uint8_t* group) {
    const hn::Rebind<uint16_t, DU32> du16;
    const VU32 bits = hn::PromoteTo(DU32(), hn::LoadU(du16, reinterpret_cast<const uint16_t*>(group)));
    return hn::BitCast(DF32(), hn::ShiftLeft<16>(bits));
  }
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
