// What the files of the formats share: loading blocks from unaligned bytes, and the order of nibbles.
//
// A format is a struct in namespace quern::quant with
//   Block        the block as it lies in a file: trivially copyable, no padding, every number little-endian
//   kType        its tensor::DType, for GGUF types the id in the file
//   kName        as GGUF tools spell it; of types that GGUF lacks, the enumerator in capitals
//   kBlockElems  elements per block
//   decode       the scalar decoding, the norm for every other path
//   pack         a block from its codes (or levels: the signed values that codes stand for) and scales
//   kLevels, kSub, scales, put_levels    the same block as levels and scales, see LevelAccess in format.h
//   kPoints, kSub, scales, put_points    the same for points of a grid, see PointAccess
//   encode       quantizing, see FormatInfo::encode; the searches for scales are in encode_*.cc and search-inl.h
// Half-precision scales are converted to float32 first; the products and sums are float32 in the order written in each
// file, never fused. That order is what the reference tools use, so decoded values are equal to theirs bit for bit.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "lib/base/half.h"
#include "lib/tensor/dtype.h"

namespace quern::quant {

static_assert(std::endian::native == std::endian::little, "blocks are read as they lie in the file: little-endian");

template <class T>
T load(const void* bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  T out;
  std::memcpy(&out, bytes, sizeof out);
  return out;
}

template <class T>
void store(const T& value, void* bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(bytes, &value, sizeof value);
}

/// The values that codes of a format stand for, before scales: the whole numbers of [low, high], or those of a
/// codebook.
struct Levels {
  int8_t low = 0, high = 0;
  const int8_t* codebook = nullptr;  ///< increasing
  uint8_t codebook_size = 0;
};

/// The digit of coordinate i of a spread point (grids.h).
constexpr int digit_of(uint32_t point, int i) { return static_cast<int>(point >> (i % 4 * 8 + i / 4 * 4) & 15); }

/// A grid without its dimensions: what those need who look for points by a rule of their own.
struct GridPoints {
  uint32_t dims = 0;  ///< 8 or 4; 0: there is no grid
  uint32_t n = 0;
  const uint32_t* spread = nullptr;  ///< [n]
  const int8_t* values = nullptr;    ///< of the digits
  bool even_signs = false;           ///< of eight neighbours an even number is negative

  constexpr float coordinate(uint32_t point, uint32_t i) const {
    return static_cast<float>(values[digit_of(spread[point], static_cast<int>(i))]);
  }
};

/// Decodes n elements (a multiple of Format::kBlockElems) block by block with Format::decode_block.
template <class Format>
void decode_blocks(const std::byte* blocks, float* out, size_t n) {
  using Block = typename Format::Block;
  for (size_t i = 0; i < n; i += Format::kBlockElems, blocks += sizeof(Block)) {
    Format::decode_block(load<Block>(blocks), out + i);
  }
}

/// The 4-bit code of element j of a 32-element block whose 16 bytes hold element j in the low nibble of byte j and
/// element j + 16 in its high nibble ("nibble order").
inline int nibble32(const uint8_t* bytes, int j) { return j < 16 ? bytes[j] & 15 : bytes[j - 16] >> 4; }

/// The other way round: n codes (a multiple of 32) in nibble order.
inline void pack_nibbles(const uint8_t* codes, int n, uint8_t* bytes) {
  for (int i = 0; i < n; i += 32, codes += 32, bytes += 16) {
    for (int j = 0; j < 16; ++j) bytes[j] = static_cast<uint8_t>(codes[j] | codes[j + 16] << 4);
  }
}

}  // namespace quern::quant
