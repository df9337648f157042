// F8_E5M2: 128 elements in 132 bytes, 8.25 bits per weight: 8-bit floats with a scale.
//
//   bytes 0-3    scale, float32
//   bytes 4-131  128 floats: a sign (bit 7), five bits of exponent (bias 15), two of mantissa
//   value = float * scale
// Source: OCP 8-bit Floating Point Specification (E5M2).

#ifndef QUERN_QUANT_F8_E5M2_H_
#define QUERN_QUANT_F8_E5M2_H_

#include <algorithm>
#include <cmath>

#include "lib/quant/block.h"
#include "lib/quant/fp8.h"

namespace quern::quant {

struct F8_E5M2 {
  struct Block {
    float scale;
    uint8_t qs[128];
  };
  static_assert(sizeof(Block) == 132);

  static constexpr tensor::DType kType = tensor::DType::f8_e5m2;
  static constexpr const char* kName = "F8_E5M2";
  static constexpr uint32_t kBlockElems = 128;

  static void decode_block(const Block& block, float* out) {
    for (int e = 0; e < 128; ++e) out[e] = e5m2_to_f32(block.qs[e]) * block.scale;
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<F8_E5M2>(blocks, out, n); }

  static void pack(const uint8_t* codes, float scale, Block& block) {
    block.scale = scale;
    std::memcpy(block.qs, codes, 128);
  }
  /// The largest magnitude becomes the largest float; the others are rounded to the nearest.
  static void encode(const float* x, const float*, size_t n, std::byte* blocks) {
    uint8_t codes[kBlockElems];
    for (size_t i = 0; i < n; i += kBlockElems, blocks += sizeof(Block)) {
      float highest = 0;
      for (size_t e = 0; e < kBlockElems; ++e) highest = std::max(highest, std::fabs(x[i + e]));
      const float scale = highest / kE5m2Max;
      for (size_t e = 0; e < kBlockElems; ++e) codes[e] = f32_to_e5m2(scale == 0 ? 0 : x[i + e] / scale);
      Block block;
      pack(codes, scale, block);
      store(block, blocks);
    }
  }
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_F8_E5M2_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_F8_E5M2_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_F8_E5M2_PANEL_
#undef QUERN_QUANT_F8_E5M2_PANEL_
#else
#define QUERN_QUANT_F8_E5M2_PANEL_
#endif

#include "lib/quant/panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct F8_E5M2Panel {
  static constexpr size_t kGroup = F8_E5M2::kBlockElems, kBlockBytes = sizeof(F8_E5M2::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 4;
  static constexpr bool kFloat = true;

  static float head(const uint8_t* block) { return quant::load<float>(block); }
  /// kLanes consecutive elements: one of each row.
  static HWY_INLINE VF32 load(const uint8_t* elements) {
    const hn::Rebind<uint8_t, DF32> du8;
    const hn::Rebind<uint16_t, DF32> du16;
    const hn::Rebind<hwy::float16_t, DF32> df16;
    const auto half = hn::ShiftLeft<8>(hn::PromoteTo(du16, hn::LoadU(du8, elements)));
    return hn::PromoteTo(DF32(), hn::BitCast(df16, half));
  }
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
