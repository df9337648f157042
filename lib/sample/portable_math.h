// exp, log and pow that give the same bits on every platform: IEEE additions, multiplications and divisions in a fixed
// order, where the standard library's last bit differs from system to system. Built without contraction to FMA.
// Relative error below 4e-16 for exp, 1e-15 for log (absolute near 1): tests/sample/portable_math_test.cc.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace quern::sample {

/// ln 2 in two parts; the upper one has trailing zeros, so that its product with a small integer is exact.
inline constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;

/// e^x for -708 <= x <= 709: 2^n e^r with n integer and |r| <= ln(2)/2, e^r by Taylor's series to r^13. No branches,
/// and nothing but what a compiler can do to several numbers at once.
inline double portable_exp_in_range(double x) {
  constexpr double kRound = 0x1.8p52;  // adding it rounds to an integer, which then stands in the lowest bits
  const double shifted = x * 0x1.71547652b82fep+0 + kRound;
  const double n = shifted - kRound;
  const double r = (x - n * kLn2High) - n * kLn2Low;
  double p = 1.0 / 6227020800;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1;
  p = p * r + 1;
  return std::bit_cast<double>(std::bit_cast<uint64_t>(p) + (std::bit_cast<uint64_t>(shifted) << 52));
}

/// e^x; 0 below -708 and for NaN.
inline double portable_exp(double x) {
  if (!(x >= -708)) return 0;
  if (x > 709) return std::numeric_limits<double>::infinity();
  return portable_exp_in_range(x);
}

/// x = 2^n m with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh f, f = (m - 1) / (m + 1), by its series to f^23.
/// -infinity at 0, NaN below and for NaN.
inline double portable_log(double x) {
  if (!(x > 0)) return x == 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  if (x == std::numeric_limits<double>::infinity()) return x;
  int64_t n = 0;
  if (x < 0x1p-1022) x *= 0x1p54, n = -54;
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  n += static_cast<int64_t>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFu) | 0x3FF0000000000000u);
  if (m > 0x1.6a09e667f3bcdp+0) m *= 0.5, n += 1;
  const double f = (m - 1) / (m + 1), f2 = f * f;
  double series = 1.0 / 23;
  series = series * f2 + 1.0 / 21;
  series = series * f2 + 1.0 / 19;
  series = series * f2 + 1.0 / 17;
  series = series * f2 + 1.0 / 15;
  series = series * f2 + 1.0 / 13;
  series = series * f2 + 1.0 / 11;
  series = series * f2 + 1.0 / 9;
  series = series * f2 + 1.0 / 7;
  series = series * f2 + 1.0 / 5;
  series = series * f2 + 1.0 / 3;
  series = series * f2 + 1;
  return static_cast<double>(n) * kLn2High + (2 * f * series + static_cast<double>(n) * kLn2Low);
}

/// x^y for x >= 0.
inline double portable_pow(double x, double y) {
  if (y == 0 || x == 1) return 1;
  return portable_exp(y * portable_log(x));
}

/// x^n by squaring; saturates at infinity.
inline double portable_pow(double x, uint64_t n) {
  double out = 1;
  for (; n != 0; n >>= 1, x *= x)
    if (n & 1) out *= x;
  return out;
}

}  // namespace quern::sample
