// Blobs from this machine: files copied in, bytes written.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "examples/store/layout.h"

namespace quern::store {

/// A new blob under way: partial/<name>.part, which nobody else touches.
class NewBlob {
 public:
  static Result<NewBlob> create(const Layout& layout);
  NewBlob(NewBlob&&) noexcept = default;
  NewBlob& operator=(NewBlob&&) = delete;
  ~NewBlob();
  const std::filesystem::path& path() const { return path_; }
  Status write(const void* data, size_t size);
  /// The bytes are those of the file instead, from its start.
  using ProgressedFn = std::function<Status(uint64_t done)>;
  Status copy_from(const std::filesystem::path& source, const ProgressedFn& progressed);
  /// What was written to path() by somebody else is read.
  Status take_over(const ProgressedFn& progressed);
  /// The digest of what was written; ends the writing.
  Digest digest();
  uint64_t size() const { return size_; }
  /// Makes it the blob of this digest.
  Status commit(const Digest& digest);

 private:
  NewBlob(const Layout& layout, Lock lock, std::filesystem::path path, File file)
      : layout_(layout), lock_(std::move(lock)), path_(std::move(path)), file_(std::move(file)) {}
  Layout layout_;
  Lock lock_;
  std::filesystem::path path_;
  File file_;
  Hasher hasher_;
  uint64_t size_ = 0;
};

}  // namespace quern::store
