// GGUF, the container of quantized models: one part of it, from memory. Little-endian, versions 2 and 3:
//
//   "GGUF", u32 version, u64 number of tensors, u64 number of keys
//   keys:     string key, u32 value type, value
//   tensors:  string name, u32 n_dims, u64 extents[n_dims] (contiguous first), u32 type, u64 offset into the data
//   zeros up to a multiple of the alignment (key general.alignment, 32 unless given), then the data
//
//   string: u64 length in bytes, bytes.   array: u32 element type, u64 count, elements back to back.
//
// Source: the GGUF specification, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "lib/io/reader.h"

namespace quern::io {

/// Types of metadata values; the numbers are the file's.
enum class ValueType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

/// "u32", "string", "type 77".
std::string value_type_name(uint32_t type);

inline constexpr char kGgufMagic[] = {'G', 'G', 'U', 'F'};
inline constexpr char kAlignmentKey[] = "general.alignment";
inline constexpr uint64_t kDefaultAlignment = 32;
inline constexpr uint32_t kMaxRank = 4;

/// Bounds on what a file may ask for. Files beyond them are refused as unsupported, before memory is taken.
struct GgufLimits {
  uint64_t keys = uint64_t{1} << 16;
  uint64_t tensors = uint64_t{1} << 17;
  uint64_t key_bytes = 65'535;
  uint64_t tensor_name_bytes = 63;
  uint64_t string_bytes = uint64_t{64} << 20;
  uint64_t array_elements = uint64_t{1} << 27;
  uint64_t extent = (uint64_t{1} << 40) - 1;    ///< of one dimension
  uint64_t metadata_bytes = uint64_t{1} << 30;  ///< everything before the data
};

/// One parsed part. The views of `tensors` point into the bytes that were parsed.
struct GgufContents {
  uint32_t version = 0;
  uint64_t alignment = kDefaultAlignment;
  MetaTable meta;
  TensorTable tensors;
};

/// Parses and validates. What it returns can be trusted: keys and tensor names are unique, non-empty, UTF-8 and without
/// NUL; every tensor lies whole inside `bytes`, aligned, apart from all others, its rows whole numbers of blocks.
/// Tensors may lie in any order, but without gaps beyond the padding. Strings that are values may hold any bytes.
/// `path` is for messages.
Result<GgufContents> parse_gguf(std::span<const std::byte> bytes, const std::string& path, uint32_t file_index = 0,
                                const GgufLimits& limits = {});

}  // namespace quern::io
