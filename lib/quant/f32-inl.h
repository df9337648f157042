// F32: IEEE 754 binary32, one element per block. Source: GGUF specification, type 0.

#ifndef QUERN_QUANT_F32_H_
#define QUERN_QUANT_F32_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct F32 {
  struct Block {
    uint32_t bits;
  };
  static_assert(sizeof(Block) == 4);

  static constexpr tensor::DType kType = tensor::DType::f32;
  static constexpr const char* kName = "F32";
  static constexpr uint32_t kBlockElems = 1;

  static void decode(const std::byte* blocks, float* out, size_t n) { std::memcpy(out, blocks, n * sizeof(float)); }

  static void encode(const float* x, const float*, size_t n, std::byte* blocks) {
    std::memcpy(blocks, x, n * sizeof(float));
  }
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_F32_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_F32_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_F32_PANEL_
#undef QUERN_QUANT_F32_PANEL_
#else
#define QUERN_QUANT_F32_PANEL_
#endif

#include "lib/quant/panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct F32Panel {
  static constexpr size_t kGroup = 1, kBlockBytes = sizeof(F32::Block), kHeadOffset = 0, kHeadBytes = kBlockBytes;
  static constexpr bool kFloat = true;

  /// kLanes consecutive elements: one of each row.
  static HWY_INLINE VF32 load(const uint8_t* group) { return hn::LoadU(DF32(), reinterpret_cast<const float*>(group)); }
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
