// Files: read-only memory mapping, whole-file reading, and writing that never leaves a torn file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "lib/base/status.h"

namespace quern::base {

/// A whole regular file, mapped read-only (or read into memory where `use_mmap` is false). Move-only.
class FileBytes {
 public:
  struct Options {
    bool use_mmap = true;
  };
  /// Refuses what is not a regular file (directories, FIFOs, devices). The size is fixed at opening.
  static Result<FileBytes> open(const std::string& path, Options options);

  FileBytes(FileBytes&&) noexcept;
  FileBytes& operator=(FileBytes&&) noexcept;
  ~FileBytes();

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::string& path() const { return path_; }
  bool mapped() const { return mapped_; }

  /// Tells the system that these bytes will not be read again soon, so that their pages need not stay resident. A hint:
  /// reading them again still works. No-op unless mapped.
  void release(std::span<const std::byte> part) const;
  /// The same for bytes that are known to lie in a mapping.
  static void release_mapped(std::span<const std::byte> part);

 private:
  FileBytes() = default;
  std::string path_;
  std::span<const std::byte> bytes_;
  bool mapped_ = false;
};

/// Writes beside `path`, and on commit() flushes, fsyncs and renames over it. Without commit() nothing remains.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::string& path);
  AtomicFile(AtomicFile&&) noexcept;
  AtomicFile& operator=(AtomicFile&&) noexcept;
  ~AtomicFile();

  Status write(std::span<const std::byte> bytes);
  /// Makes the file `size_bytes` long, with zeros where nothing was written: rewrite() then fills in any order.
  Status extend(uint64_t size_bytes);
  /// Replaces bytes that were written before.
  Status rewrite(uint64_t offset, std::span<const std::byte> bytes);
  uint64_t position() const { return position_; }
  /// Where the bytes are until commit(): others may read them there.
  const std::string& temporary_path() const { return temporary_; }
  Status commit();

 private:
  AtomicFile() = default;
  void discard() noexcept;
  std::string path_, temporary_;
  int fd_ = -1;
  uint64_t position_ = 0;
};

}  // namespace quern::base
