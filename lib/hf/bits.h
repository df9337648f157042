// Codes of a few bits out of little-endian streams of them: bytes, or 32-bit words, lowest bits first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace quern::hf {

/// Eight codes of kBits bits each, the first one lowest, as eight bytes. All at once: halves of what is left move apart
/// until every code has a byte of its own.
template <int kBits>
inline uint64_t spread(uint64_t codes) {
  static_assert(kBits >= 1 && kBits < 8);
  constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
  constexpr uint64_t kFour = (uint64_t{1} << 4 * kBits) - 1, kTwo = (uint64_t{1} << 2 * kBits) - 1;
  uint64_t x = codes;
  x = (x | x << (32 - 4 * kBits)) & (kFour | kFour << 32);
  x = (x | x << (16 - 2 * kBits)) & (kTwo * 0x0001000100010001u);
  return (x | x << (8 - kBits)) & (kMask * 0x0101010101010101u);
}
template <>
inline uint64_t spread<8>(uint64_t codes) {
  return codes;
}

/// Unpacks n codes (a multiple of 8: n / 8 * kBits bytes).
template <int kBits>
inline void unpack(const std::byte* packed, size_t n, uint8_t* codes) {
  for (size_t i = 0; i < n; i += 8, packed += kBits) {
    uint64_t eight = 0;
    std::memcpy(&eight, packed, kBits);
    eight = spread<kBits>(eight);
    std::memcpy(codes + i, &eight, 8);
  }
}

/// Code i of a stream of words.
inline uint32_t code_at(const std::byte* words, uint64_t i, uint32_t bits) {
  const uint64_t word = i * bits / 32, shift = i * bits % 32;
  uint32_t low, high = 0;
  std::memcpy(&low, words + 4 * word, 4);
  if (shift + bits > 32) std::memcpy(&high, words + 4 * word + 4, 4);
  return static_cast<uint32_t>((low | uint64_t{high} << 32) >> shift) & ((1u << bits) - 1);
}

/// An 8 x 8 square of bytes, mirrored: byte j of x[i] becomes byte i of x[j].
inline void transpose_bytes(uint64_t (&x)[8]) {
  const auto swap = [&](int i, int j, int shift, uint64_t low) {
    const uint64_t moved = (x[i] >> shift ^ x[j]) & low;
    x[j] ^= moved;
    x[i] ^= moved << shift;
  };
  for (int i = 0; i < 4; ++i) swap(i, i + 4, 32, 0x00000000FFFFFFFFu);
  for (const int i : {0, 1, 4, 5}) swap(i, i + 2, 16, 0x0000FFFF0000FFFFu);
  for (const int i : {0, 2, 4, 6}) swap(i, i + 1, 8, 0x00FF00FF00FF00FFu);
}

}  // namespace quern::hf
