// How the CPU lays out cached keys and values. A tile is one head's part of one cache block: the keys, or the values,
// of kKvBlockTokens = 32 tokens. Rows of `dim` elements are padded to a multiple of 32.
//
// Codecs f32 and f16 keep floats: keys [dim][32 tokens], so that a vector holds one dimension of several tokens; values
// [32 tokens][dim].
//
// Codecs i16, i8 and i4 keep integer codes with a bfloat16 scale per token and group of 32 elements, so that attention
// sums integers, two products an instruction. A tile is a sequence of groups:
//   codes of keys     [16 pairs of elements][32 tokens][2]
//   codes of values   [16 pairs of tokens][32 elements][2]
//   scales            [32 tokens]
// with i4 the codes of a pair p and a pair p + 8 (keys), an element e and an element e + 16 (values) share a byte, the
// former below; 8 is added to a code, so that it is positive.
//   i16  |code| <= 8191: 32 products of two such numbers fit an int32. Finer than f16 for elements of more than 1/8 of
//        the largest of their group, coarser for smaller ones. All groups of a token's values have the same scale.
//   i8   |code| <= 127, as Q8_0
//   i4   -8 .. 7, as Q4_0
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/compute/ops.h"

namespace quern::cpu {

enum class KvCodec : uint8_t { f32, f16, i16, i8, i4 };
inline constexpr size_t kKvCodecs = 5;

/// Elements that share a scale.
inline constexpr size_t kKvGroup = 32;
inline constexpr int kMaxKvCode = 8191;
static_assert(compute::kKvBlockTokens == 32, "the layout of a tile");

constexpr size_t code_bits(KvCodec codec) {
  constexpr size_t kBits[kKvCodecs] = {32, 16, 16, 8, 4};
  return kBits[static_cast<size_t>(codec)];
}
constexpr bool has_scales(KvCodec codec) { return codec >= KvCodec::i16; }
constexpr size_t padded(size_t dim) { return (dim + kKvGroup - 1) / kKvGroup * kKvGroup; }

/// Bytes of the codes of one group, and with the scales.
constexpr size_t group_code_bytes(KvCodec codec) { return kKvGroup * compute::kKvBlockTokens * code_bits(codec) / 8; }
constexpr size_t group_bytes(KvCodec codec) {
  return group_code_bytes(codec) + (has_scales(codec) ? compute::kKvBlockTokens * sizeof(uint16_t) : 0);
}
constexpr size_t tile_bytes(KvCodec codec, size_t dim) { return padded(dim) / kKvGroup * group_bytes(codec); }

}  // namespace quern::cpu
