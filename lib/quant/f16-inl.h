// F16: IEEE 754 binary16, one element per block. Source: GGUF specification, type 1.

#ifndef QUERN_QUANT_F16_H_
#define QUERN_QUANT_F16_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct F16 {
  struct Block {
    uint16_t bits;
  };
  static_assert(sizeof(Block) == 2);

  static constexpr tensor::DType kType = tensor::DType::f16;
  static constexpr const char* kName = "F16";
  static constexpr uint32_t kBlockElems = 1;

  static void decode_block(const Block& block, float* out) { out[0] = base::f16_to_f32(block.bits); }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<F16>(blocks, out, n); }

  static void encode(const float* x, const float*, size_t n, std::byte* blocks) {
    for (size_t i = 0; i < n; ++i) store(Block{base::f32_to_f16(x[i])}, blocks + i * sizeof(Block));
  }
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_F16_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_F16_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_F16_PANEL_
#undef QUERN_QUANT_F16_PANEL_
#else
#define QUERN_QUANT_F16_PANEL_
#endif

#include "lib/quant/panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct F16Panel {
  static constexpr size_t kGroup = 1, kBlockBytes = sizeof(F16::Block), kHeadOffset = 0, kHeadBytes = kBlockBytes;
  static constexpr bool kFloat = true;

  /// kLanes consecutive elements: one of each row.
  static HWY_INLINE VF32 load(const uint8_t* group) { return load_f16(group); }
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
