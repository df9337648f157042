// Writes GGUF version 3: what parse_gguf() reads, and only what it accepts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "lib/io/gguf.h"
#include "lib/io/reader.h"
#include "lib/tensor/view.h"

namespace quern::io {

/// Takes the next bytes of an output.
using ByteSink = std::function<Status(std::span<const std::byte>)>;

/// Gives the bytes of a tensor to `sink`, in order, in pieces of any size: so that a model larger than memory can be
/// written.
using TensorSource = std::function<Status(const ByteSink& sink)>;

/// Looks at a whole file before it gets its name, for figures about it that are stored in it: returns entries that
/// replace added ones of the same keys and take the same room (numbers, not texts).
using Review = std::function<Result<std::vector<MetaTable::Entry>>(const std::string& temporary_path)>;

/// Keys and tensors are written in the order of the calls. The alignment is that of the key general.alignment if it was
/// added, else 32. Every add refuses what the reader would refuse.
class GgufWriter {
 public:
  GgufWriter() : meta_("the new model") {}

  /// An entry as a MetaTable holds it: its value is stored as its file_type says.
  Status add(MetaTable::Entry entry);
  Status add(std::string key, MetaValue value, ValueType type) {
    return add(MetaTable::Entry{std::move(key), std::move(value), static_cast<uint32_t>(type)});
  }

  /// The bytes are borrowed until the last write().
  Status add_tensor(std::string name, const tensor::Shape& shape, uint32_t type_id, std::span<const std::byte> bytes);
  /// `source` is called once by each write().
  Status add_tensor(std::string name, const tensor::Shape& shape, uint32_t type_id, TensorSource source);

  /// Writes the whole file; on any failure `path` is as it was before.
  Status write(const std::string& path, const Review& review = {}) const;
  /// The same bytes into `sink`.
  Status write(const ByteSink& sink) const;

 private:
  struct Tensor {
    std::string name;
    tensor::Shape shape;
    uint32_t type_id = 0;
    uint64_t size_bytes = 0;
    TensorSource source;
  };
  std::vector<std::byte> header(const MetaTable& meta) const;

  MetaTable meta_;
  std::vector<Tensor> tensors_;
  NameIndex tensor_names_;
  uint64_t alignment_ = kDefaultAlignment;
  uint64_t data_bytes_ = 0;  ///< of the tensors so far, padding included
};

}  // namespace quern::io
