// The registry of tensor formats: what the rest of the library may know about a format without naming it.
// One file per format in this folder (q4_k-inl.h, ...) holds everything else about it; formats.def is the one list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lib/base/status.h"
#include "lib/quant/block.h"
#include "lib/tensor/dtype.h"

namespace quern::quant {

/// A format's blocks as levels and scales: value = scale * level - min, where kSub neighbours share scale and min. For
/// those who choose levels by a rule of their own and leave the scales to encode(). Half-precision scales multiply
/// their whole numbers in float32, as in decode().
struct LevelAccess {
  Levels levels;
  uint32_t sub = 0;  ///< elements that share a scale
  /// The block_elems / sub scales and minima (0 where the format has none) of a block.
  void (*scales)(const std::byte* block, float* scale, float* min) = nullptr;
  /// Puts other levels into a block and leaves its scales.
  void (*put_levels)(const int8_t* levels, std::byte* block) = nullptr;
};

/// The same of blocks whose levels are points of a grid: value = scale * coordinate, minus that where its sign is set.
struct PointAccess {
  GridPoints grid;
  uint32_t sub = 0;  ///< elements that share a scale, a multiple of 8
  /// The block_elems / sub scales of a block.
  void (*scales)(const std::byte* block, float* scale) = nullptr;
  /// Puts other points and signs (of eight elements each, bit i for the i-th) into a block and leaves its scales.
  void (*put_points)(const uint16_t* points, const uint8_t* signs, std::byte* block) = nullptr;
};

struct FormatInfo {
  tensor::DType type;
  const char* name;      ///< "Q4_K", "F16": as GGUF tools spell it, where they know it.
  uint32_t block_elems;  ///< Elements per block; a row is a whole number of blocks.
  uint32_t block_bytes;
  /// Scalar decoding, the norm that every faster path must equal bit for bit. Decodes n elements (a multiple of
  /// block_elems) from `blocks` (any alignment) into `out`.
  void (*decode)(const std::byte* blocks, float* out, size_t n);
  /// Quantizes n elements of one row (a multiple of block_elems, finite). The error it keeps small is the sum over
  /// elements of weight * (x - decoded)^2; weights (n of them, positive) may be nullptr: all alike. The same bytes on
  /// every machine. nullptr where the format can only be read.
  void (*encode)(const float* x, const float* weights, size_t n, std::byte* blocks);
  LevelAccess level_access;  ///< of the formats that have one; sub is 0 otherwise
  PointAccess point_access;  ///< likewise
};

/// The formats that this build runs, in the order of formats.def.
std::span<const FormatInfo> formats();

/// The format of a type, or nullptr if it is not one of formats(). O(1).
const FormatInfo* find_format(tensor::DType type);

/// Resolves a type id: the format, or an error that names the type and says whether it was removed from
/// GGUF, belongs to another engine only, holds no weights (integers), or is not known at all.
Result<const FormatInfo*> resolve_format(uint32_t type_id);

/// The name of any type id, known formats or not: "Q4_K", "NF4", "type 77".
std::string type_name(uint32_t type_id);

/// The id of a type that weights may have in GGUF, by its name in any case: "q4_k" is 12.
std::optional<uint32_t> find_type(std::string_view name);

/// Bytes of one element block of ANY id: of formats(), integers and formats that cannot be run here. An error for
/// removed and unknown ids. {block_elems, block_bytes}.
struct BlockSize {
  uint32_t elems, bytes;
};
Result<BlockSize> block_size(uint32_t type_id);
/// The same of ids in GGUF files: types that only other containers have are unknown there.
Result<BlockSize> gguf_block_size(uint32_t type_id);

}  // namespace quern::quant
