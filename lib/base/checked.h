// Checked arithmetic for sizes that come from a file or a request: every product and sum of such numbers goes through
// here.
#pragma once

#include <cstdint>
#include <optional>

namespace quern::base {

/// a * b, or nothing if it does not fit in 64 bits.
inline std::optional<uint64_t> checked_mul(uint64_t a, uint64_t b) {
  uint64_t out;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

/// a + b, or nothing if it does not fit in 64 bits.
inline std::optional<uint64_t> checked_add(uint64_t a, uint64_t b) {
  uint64_t out;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}

/// The smallest multiple of `alignment` (a power of two) that is >= n, or nothing if it does not fit.
inline std::optional<uint64_t> checked_align(uint64_t n, uint64_t alignment) {
  const auto padded = checked_add(n, alignment - 1);
  if (!padded) return std::nullopt;
  return *padded & ~(alignment - 1);
}

}  // namespace quern::base
