// Writes safetensors files, and checkpoints of several with their index: what parse_safetensors() reads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/status.h"
#include "lib/io/reader.h"
#include "lib/io/safetensors.h"

namespace quern::io {

/// An array to be written.
struct SafeArray {
  std::string name;
  SafeType type = SafeType::f32;
  std::vector<uint64_t> shape;  ///< slowest dimension first; empty: one number
};

/// Takes the next bytes of one of the arrays of a call.
using ArraySink = std::function<Status(size_t array, std::span<const std::byte> bytes)>;

/// Gives the bytes of some arrays that are made together: those of each in order, in pieces of any size.
using ArraysSource = std::function<Status(const ArraySink& sink)>;

/// Sources are asked in the order of the calls; where arrays lie in the file is the format's usual order: by the size
/// of their elements, the largest first, then by name.
class SafeTensorsWriter {
 public:
  /// `source` is called once by each write(). Refuses what the reader would refuse.
  Status add(std::vector<SafeArray> arrays, ArraysSource source);
  /// The bytes are borrowed until the last write().
  Status add(SafeArray array, std::span<const std::byte> bytes);

  /// One file with all arrays. On any failure `path` is as it was before.
  Status write(const std::string& path) const;

  /// As many files in `folder` as it takes that none has more than `max_bytes` of arrays (what was added in one call
  /// stays together): "model.safetensors", or "model-00001-of-0000N.safetensors" and their index. Returns the names.
  Result<std::vector<std::string>> write_checkpoint(const std::string& folder, uint64_t max_bytes = kShardBytes) const;

  static constexpr uint64_t kShardBytes = 5'000'000'000;

 private:
  struct Batch {
    std::vector<SafeArray> arrays;
    std::vector<uint64_t> sizes;  ///< in bytes, of each
    ArraysSource source;
    uint64_t size_bytes() const;
  };
  struct Layout {
    std::string header;                          ///< padded
    std::vector<std::vector<uint64_t>> offsets;  ///< of each batch's arrays, from the end of the header
    uint64_t data_bytes = 0;
  };
  static Layout lay_out(std::span<const Batch> batches);
  static Status write_file(const std::string& path, std::span<const Batch> batches);
  std::string index_text(std::span<const std::string> files, std::span<const size_t> file_of_batch) const;

  std::vector<Batch> batches_;
  NameIndex names_;
  uint64_t total_bytes_ = 0;
};

}  // namespace quern::io
