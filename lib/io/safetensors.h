// The safetensors container: named arrays behind a JSON header. Source: the format's specification
// (https://huggingface.co/docs/safetensors), whose rules of validation are all kept, and a few more.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "lib/io/reader.h"

namespace quern::io {

/// Element types, as the header spells them.
enum class SafeType : uint8_t {
  boolean,
  u8,
  i8,
  f8_e4m3,
  f8_e5m2,
  f8_e8m0,
  f4,
  f6_e2m3,
  f6_e3m2,
  u16,
  i16,
  f16,
  bf16,
  u32,
  i32,
  f32,
  u64,
  i64,
  f64,
  c64,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
};
/// "BF16".
std::string_view safe_type_name(SafeType type);
/// Of one element.
uint32_t safe_type_bits(SafeType type);

/// One array: row-major, little-endian, of any alignment.
struct SafeTensor {
  std::string name;
  SafeType type = SafeType::f32;
  std::vector<uint64_t> shape;  ///< slowest dimension first; empty: one number; an extent of 0: no numbers
  std::span<const std::byte> bytes;
  uint32_t file_index = 0;  ///< which file of a checkpoint holds it

  uint64_t elements() const {
    uint64_t n = 1;
    for (const uint64_t extent : shape) n *= extent;
    return n;
  }
};

/// The arrays of a file, or of the files of a checkpoint.
class SafeTensors {
 public:
  Status add(SafeTensor tensor, std::string_view file);  ///< Refuses a duplicate name.
  const std::vector<SafeTensor>& entries() const { return entries_; }
  const SafeTensor* find(std::string_view name) const;
  std::vector<std::pair<std::string, std::string>> metadata;  ///< of "__metadata__"

 private:
  std::vector<SafeTensor> entries_;
  NameIndex index_;
};

struct SafeLimits {
  uint64_t header_bytes = 100'000'000;  ///< the specification's
  uint64_t arrays = uint64_t{1} << 18;
  uint64_t name_bytes = 65'535;
  uint64_t dimensions = 64;
};

/// Reads a file's header. Sizes, shapes and offsets are checked; arrays tile the file without holes. `path` is for
/// messages. The arrays point into `bytes`, and have `file_index`. Entries are in the order of the header.
Result<SafeTensors> parse_safetensors(std::span<const std::byte> bytes, std::string_view path, uint32_t file_index = 0,
                                      const SafeLimits& limits = {});

}  // namespace quern::io
