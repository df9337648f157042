// Weights of any format without its quantizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace quern::test {

/// Words that are ordinary numbers as half, bfloat16, the upper part of float32 and pairs of 8-bit floats, and ordinary
/// codes otherwise.
inline std::vector<std::byte> ordinary_bytes(size_t n) {
  std::vector<std::byte> out(n);
  std::mt19937 rng(1);
  for (size_t i = 0; i + 2 <= n; i += 2) {
    auto word = static_cast<uint16_t>((rng() & 0x1BFF) | 0x2000);
    if ((word & 0x7C) == 0x7C) word ^= 0x04;  // of 8-bit floats: infinity, NaN
    std::memcpy(out.data() + i, &word, 2);
  }
  return out;
}

}  // namespace quern::test
