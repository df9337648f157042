// 8-bit floats: a sign, 4 or 5 bits of exponent, 3 or 2 bits of mantissa.
// Source: OCP 8-bit Floating Point Specification (E4M3, E5M2).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "lib/base/half.h"

namespace quern::quant {

/// The largest finite numbers.
inline constexpr float kE4m3Max = 448.0f, kE5m2Max = 57344.0f;

/// E4M3 as the half-precision number with the same digits, which is 2^-8 of it. NaN, S.1111.111, becomes a number.
constexpr uint16_t e4m3_as_f16(uint8_t x) { return static_cast<uint16_t>((x & 0x80) << 8 | (x & 0x7F) << 7); }
constexpr bool is_e4m3_nan(uint8_t x) { return (x & 0x7F) == 0x7F; }

inline float e4m3_to_f32(uint8_t x) {
  if (is_e4m3_nan(x)) return std::numeric_limits<float>::quiet_NaN();
  return base::f16_to_f32(e4m3_as_f16(x)) * 256.0f;
}

/// E5M2: half precision without its last 8 bits, infinities and NaN included.
inline float e5m2_to_f32(uint8_t x) { return base::f16_to_f32(static_cast<uint16_t>(x << 8)); }

/// To the nearest, ties to even; what is beyond the largest becomes that. kMantissa: its bits; kBias: of the exponent.
template <int kMantissa, int kBias>
uint8_t f32_to_fp8(float v, float largest) {
  constexpr int kDrop = 23 - kMantissa;
  const uint32_t bits = std::bit_cast<uint32_t>(v), magnitude = bits & 0x7FFFFFFF;
  const uint32_t sign = bits >> 24 & 0x80;
  const auto above_normal = [](uint32_t rounded) { return (rounded >> kDrop) - ((127 - kBias) << kMantissa); };
  const auto rounded_up = [](uint32_t x) { return x + (1u << (kDrop - 1)) - 1 + (x >> kDrop & 1); };
  if (magnitude > 0x7F800000) return static_cast<uint8_t>(sign | 0x7F);
  const float size = std::bit_cast<float>(magnitude);
  if (size >= largest) return static_cast<uint8_t>(sign | above_normal(std::bit_cast<uint32_t>(largest)));
  constexpr uint32_t kSmallestNormal = static_cast<uint32_t>(128 - kBias) << 23;
  if (magnitude >= kSmallestNormal) return static_cast<uint8_t>(sign | above_normal(rounded_up(magnitude)));
  // Subnormal: the addition aligns the mantissa and rounds it. The last bit of `unit` is worth 2^(1 - kBias -
  // kMantissa).
  constexpr uint32_t kUnit = static_cast<uint32_t>(127 + 24 - kBias - kMantissa) << 23;
  return static_cast<uint8_t>(sign | (std::bit_cast<uint32_t>(size + std::bit_cast<float>(kUnit)) - kUnit));
}

inline uint8_t f32_to_e4m3(float v) { return f32_to_fp8<3, 7>(v, kE4m3Max); }
inline uint8_t f32_to_e5m2(float v) { return f32_to_fp8<2, 15>(v, kE5m2Max); }

}  // namespace quern::quant
