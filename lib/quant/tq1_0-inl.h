// TQ1_0: 256 elements in 54 bytes, 1.6875 bits per weight, three values: five to a byte.
//
//   bytes 0-47   five ternary digits each: of byte m (m = 0 to 31), digit n is of element 32 n + m; of byte 32 + m
//                (m = 0 to 15), digit n is of element 160 + 16 n + m
//   bytes 48-51  four digits each: of byte 48 + m (m = 0 to 3), digit n is of element 240 + 4 n + m
//   bytes 52-53  d, half precision
// A byte b stands for the fraction b / 256, its digits after the point to the base 3: digit n = ((b * 3^n mod 256) * 3)
// / 256, rounded down.
//   value = (digit - 1) * d
// Source: GGUF specification, type 34.

#ifndef QUERN_QUANT_TQ1_0_H_
#define QUERN_QUANT_TQ1_0_H_

#include "lib/quant/block.h"

namespace quern::quant {

struct TQ1_0 {
  struct Block {
    uint8_t qs[48];
    uint8_t last[4];
    uint16_t d;
  };
  static_assert(sizeof(Block) == 54);

  static constexpr tensor::DType kType = tensor::DType::tq1_0;
  static constexpr const char* kName = "TQ1_0";
  static constexpr uint32_t kBlockElems = 256;

  /// Digit n of n_bytes bytes after digit n - 1 of all of them.
  static float* decode_digits(const uint8_t* bytes, int n_bytes, int n_digits, float d, float* out) {
    int power = 1;
    for (int n = 0; n < n_digits; ++n, power *= 3) {
      for (int m = 0; m < n_bytes; ++m) {
        const int digit = (bytes[m] * power & 255) * 3 >> 8;
        *out++ = static_cast<float>(digit - 1) * d;
      }
    }
    return out;
  }

  static void decode_block(const Block& block, float* out) {
    const float d = base::f16_to_f32(block.d);
    out = decode_digits(block.qs, 32, 5, d, out);
    out = decode_digits(block.qs + 32, 16, 5, d, out);
    decode_digits(block.last, 4, 4, d, out);
  }
  static void decode(const std::byte* blocks, float* out, size_t n) { decode_blocks<TQ1_0>(blocks, out, n); }

  /// The smallest bytes that stand for at least the fractions with these digits, of which bytes of four have a fifth,
  /// 0.
  static const int8_t* encode_digits(const int8_t* levels, int n_bytes, int n_digits, uint8_t* bytes) {
    for (int m = 0; m < n_bytes; ++m) {
      int digits = 0;
      for (int n = 0; n < 5; ++n) digits = 3 * digits + (n < n_digits ? levels[n * n_bytes + m] + 1 : 0);
      bytes[m] = static_cast<uint8_t>((digits * 256 + 242) / 243);
    }
    return levels + n_bytes * n_digits;
  }
  /// Levels -1, 0, 1.
  static void pack(const int8_t* levels, uint16_t d, Block& block) {
    block.d = d;
    levels = encode_digits(levels, 32, 5, block.qs);
    levels = encode_digits(levels, 16, 5, block.qs + 32);
    encode_digits(levels, 4, 4, block.last);
  }
  static void encode(const float* x, const float* weights, size_t n, std::byte* blocks);
};

}  // namespace quern::quant

#endif  // QUERN_QUANT_TQ1_0_H_

// The panel, per SIMD target: see panel-inl.h.
#if defined(QUERN_QUANT_TQ1_0_PANEL_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUERN_QUANT_TQ1_0_PANEL_
#undef QUERN_QUANT_TQ1_0_PANEL_
#else
#define QUERN_QUANT_TQ1_0_PANEL_
#endif

#include "lib/quant/panel_codes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace quern::quant::HWY_NAMESPACE {

struct TQ1_0Panel {
  static constexpr size_t kGroup = TQ1_0::kBlockElems, kBlockBytes = sizeof(TQ1_0::Block);
  static constexpr size_t kHeadOffset = 52, kHeadBytes = 2, kSub = 32;
  static constexpr int kBiasLog2 = 0;
  static constexpr bool kHasMin = false, kFloat = false;

  struct Group {
    HWY_INLINE explicit Group(const uint8_t* group) : body_(group + kHeadBytes * kLanes), d_(load_f16(group)) {}
    template <size_t J, size_t T = 0>
    HWY_INLINE void begin() {
      if constexpr (T < 8) {
        constexpr size_t kDword = 8 * J + T;  // of the elements
        if constexpr (kDword < 8) {
          left_[T] = bytes(kDword);
        } else if constexpr (kDword < 40) {
          left_[T] = times_3(left_[T]);
        } else if constexpr (kDword < 44) {
          left_[T] = bytes(kDword - 32);
        } else if constexpr (kDword < 60) {
          left_[T] = times_3(left_[(T + 4) % 8]);
        } else if constexpr (kDword == 60) {
          left_[T] = bytes(12);
        } else {
          left_[T] = times_3(left_[T - 1]);
        }
        begin<J, T + 1>();
      }
    }
    /// The first digit of what is left: byte * 3 / 256.
    template <size_t J, size_t T>
    HWY_INLINE VU8 codes() const {
      const VU8 one = hn::Set(DU8(), 1);
      const VU8 above_1 = hn::Min(hn::SaturatedSub(left_[T], hn::Set(DU8(), 85)), one);
      const VU8 above_2 = hn::Min(hn::SaturatedSub(left_[T], hn::Set(DU8(), 170)), one);
      return hn::Add(above_1, above_2);
    }
    HWY_INLINE VF32 d() const { return d_; }
    template <size_t J, size_t H>
    HWY_INLINE VI32 sub_scale() const {
      return hn::Set(DI32(), 1);
    }

   private:
    HWY_INLINE VU8 bytes(size_t dword) const { return hn::BitCast(DU8(), load_dwords(body_, dword)); }
    static HWY_INLINE VU8 times_3(VU8 v) { return hn::Add(hn::Add(v, v), v); }  // modulo 256

    const uint8_t* body_;
    VF32 d_;
    VU8 left_[8];  // of the bytes of the 32 elements, without their digits so far
  };
};

}  // namespace quern::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
