// Files that survive crashes and company: whole or absent, locked while in use.
#pragma once

#include <quern/result.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace quern::store {

/// errno as an Error: "path: what: No such file or directory". A full disk says so, with what to do.
Error file_error(const std::filesystem::path& path, const char* what, int error_number);

/// An open file descriptor. Move-only.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept;
  ~File() { close(); }
  /// `flags` as of open(2); close-on-exec is added.
  static Result<File> open(const std::filesystem::path& path, int flags, unsigned mode = 0644);
  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void close();

 private:
  int fd_ = -1;
};

/// Writes all of it where the file position is.
Status write_all(const File& file, const std::filesystem::path& path, const void* data, size_t size);
/// Up to `size` bytes; fewer at the end of the file.
Result<size_t> read_some(const File& file, const std::filesystem::path& path, void* data, size_t size);
Result<uint64_t> size_of(const File& file, const std::filesystem::path& path);

/// All of a regular file of at most `limit` bytes.
Result<std::string> read_file(const std::filesystem::path& path, size_t limit);

/// Writes beside, syncs and renames: the file has the old content or the new one, never a part. Folders are made.
Status write_atomically(const std::filesystem::path& path, std::string_view content);

/// Syncs the folder itself, so that a rename in it outlives a power cut.
void sync_folder(const std::filesystem::path& folder);
Status make_folders(const std::filesystem::path& folder);

/// Bytes that may still be written to the file system of `folder`; nullopt where that is not known.
std::optional<uint64_t> free_bytes(const std::filesystem::path& folder);

/// An advisory lock (flock) on a file that is made for it: held against other processes and other threads, released
/// when the holder ends, however it ends.
class Lock {
 public:
  /// Nullopt if somebody else holds it.
  static Result<std::optional<Lock>> try_exclusive(const std::filesystem::path& path);
  /// Waits for it; for locks that are held for moments.
  static Result<Lock> exclusive(const std::filesystem::path& path);
  const File& file() const { return file_; }
  void release() { file_.close(); }

 private:
  explicit Lock(File file) : file_(std::move(file)) {}
  File file_;
};

}  // namespace quern::store
