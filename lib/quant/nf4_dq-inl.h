// NF4_DQ: 256 elements in 140 bytes, 4.375 bits per weight: NF4 with quantized scales ("double quantization").
//
//   bytes 0-3     nested, float32: the scale of the scales
//   bytes 4-7     offset, float32: their mean
//   bytes 8-11    four 8-bit codes a, one of each 64 elements
//   bytes 12-139  eight times 32 4-bit codes q in nibble order: byte j of 16 holds element j (low nibble) and element
//                 j + 16 (high nibble)
//   absmax = dynamic_map[a] * nested + offset
//   value = values[q] * absmax, the tables of bitsandbytes.h
// Files have one `nested` for 256 scales and one `offset` for a tensor, so both are the same in many blocks here.
// Source: Dettmers et al., QLoRA (arXiv:2305.14314); bitsandbytes, quantization type "nf4" with nested scales.

#ifndef QUERN_QUANT_NF4_DQ_H_
#define QUERN_QUANT_NF4_DQ_H_

#include "lib/quant/bitsandbytes.h"
#include "lib/quant/block.h"

namespace quern::quant {

struct NF4_DQ {
  struct Block {
    float nested, offset;
    uint8_t absmax[4];
    uint8_t qs[128];
  };
  static_assert(sizeof(Block) == 140);

  static constexpr tensor::DType kType = tensor::DType::nf4_dq;
  static constexpr const char* kName = "NF4_DQ";
  static constexpr uint32_t kBlockElems = 256;
  static constexpr const Codebook4bit& kCodebook = kNf4;

  static int code(const Block& block, int e) { return nibble32(block.qs + e / 32 * 16, e % 32); }
  /// Of element e.
  static float absmax(const Block& block, int e) {
    return kDynamicMap[block.absmax[e / 64]] * block.nested + block.offset;
  }

  static void decode_block(const Block& block, float* out) {
    for (int e = 0; e < 256; ++e) out[e] = kCodebook.values[static_cast<size_t>(code(block, e))] * absmax(block, e);
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<NF4_DQ>(blocks, out, n); }

  static void pack(const uint8_t* codes, const uint8_t* absmax, float nested, float offset, Block& block) {
    block.nested = nested;
    block.offset = offset;
    std::memcpy(block.absmax, absmax, 4);
    pack_nibbles(codes, 256, block.qs);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_NF4_DQ_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_NF4_DQ_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_NF4_DQ_PANEL_
#undef QUERN_QUANT_NF4_DQ_PANEL_
#else
#define QUERN_QUANT_NF4_DQ_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

/// With whole numbers instead of the values: see Codebook4bit.
struct NF4_DQPanel {
  static constexpr size_t kGroup = NF4_DQ::kBlockElems, kBlockBytes = sizeof(NF4_DQ::Block);
  static constexpr size_t kHeadOffset = 0, kHeadBytes = 0, kSub = 32;
  static constexpr int kBiasLog2 = 7;
  static constexpr bool kHasMin = false, kFloat = false, kFloatScales = true;
  static constexpr size_t kAlike = 64;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group)
        : body_(group),
          nested_(hn::BitCast(DF32(), load_dwords(group, 0))),
          offset_(hn::BitCast(DF32(), load_dwords(group, 1))),
          absmax_(load_dwords(group, 2)) {}
    template <size_t J>
    HWY_INLINE void begin() {
      if constexpr (J == 0) {
        const VF32 a = hn::GatherIndex(DF32(), kDynamicMap.data(), byte_of<0>(absmax_));
        scale_ = hn::Mul(hn::Add(hn::Mul(a, nested_), offset_), hn::Set(DF32(), NF4_DQ::kCodebook.step));
      }
    }
    HWY_INLINE void next() {
      body_ += 8 * 4 * kLanes;
      absmax_ = hn::ShiftRight<8>(absmax_);
    }
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      return table_codes<T>(body_, 3 + 4 * J, NF4_DQ::kCodebook.biased.data());
    }
    template <size_t J, size_t H>
    HWY_INLINE VF32 scale() const {
      return scale_;
    }

   private:
    const uint8_t* body_;
    VF32 nested_, offset_;
    VU32 absmax_;
    VF32 scale_;
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
