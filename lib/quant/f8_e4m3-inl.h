// F8_E4M3: 128 elements in 132 bytes, 8.25 bits per weight: 8-bit floats with a scale.
//
//   bytes 0-3    scale, float32
//   bytes 4-131  128 floats: a sign (bit 7), four bits of exponent (bias 7), three of mantissa; no infinity
//   value = float * scale
// Source: OCP 8-bit Floating Point Specification (E4M3).

#ifndef QUERN_QUANT_F8_E4M3_H_
#define QUERN_QUANT_F8_E4M3_H_

#include <algorithm>
#include <cmath>

#include "lib/quant/block.h"
#include "lib/quant/fp8.h"

namespace quern::quant {

struct F8_E4M3 {
  struct Block {
    float scale;
    uint8_t qs[128];
  };
  static_assert(sizeof(Block) == 132);

  static constexpr tensor::DType kType = tensor::DType::f8_e4m3;
  static constexpr const char* kName = "F8_E4M3";
  static constexpr uint32_t kBlockElems = 128;

  static void decode_block(const Block& block, float* out) {
    for (int e = 0; e < 128; ++e) out[e] = e4m3_to_f32(block.qs[e]) * block.scale;
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<F8_E4M3>(blocks, out, n); }

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
      const float scale = highest / kE4m3Max;
      for (size_t e = 0; e < kBlockElems; ++e) codes[e] = f32_to_e4m3(scale == 0 ? 0 : x[i + e] / scale);
      Block block;
      pack(codes, scale, block);
      store(block, blocks);
    }
  }
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_F8_E4M3_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_F8_E4M3_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_F8_E4M3_PANEL_
#undef QUERN_QUANT_F8_E4M3_PANEL_
#else
#define QUERN_QUANT_F8_E4M3_PANEL_
#endif

#include "lib/quant/panel-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

/// The floats become half precision by a shift, which is 2^-8 of them; the scales make good for it, up to 2^120. A NaN
/// makes the scale of its block NaN: a sum of products with it is NaN all the same.
struct F8_E4M3Panel {
  static constexpr size_t kGroup = F8_E4M3::kBlockElems, kBlockBytes = sizeof(F8_E4M3::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 4;
  static constexpr bool kFloat = true;

  static float head(const uint8_t* block) {
    bool has_nan = false;
    for (size_t e = 0; e < kGroup; ++e) has_nan |= is_e4m3_nan(block[kHeadBytes + e]);
    return has_nan ? std::numeric_limits<float>::quiet_NaN() : quant::load<float>(block) * 256.0f;
  }
  /// kLanes consecutive elements: one of each row.
  static HWY_INLINE VF32 load(const uint8_t* elements) {
    const hn::Rebind<int8_t, DF32> di8;
    const hn::Rebind<int16_t, DF32> di16;
    const hn::Rebind<hwy::float16_t, DF32> df16;
    const auto extended = hn::PromoteTo(di16, hn::LoadU(di8, reinterpret_cast<const int8_t*>(elements)));
    const auto half = hn::And(hn::ShiftLeft<7>(extended), hn::Set(di16, static_cast<int16_t>(0xBF80)));
    return hn::PromoteTo(DF32(), hn::BitCast(df16, half));
  }
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
