#include "examples/store/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "examples/store/try.h"

namespace quern::store {

namespace fs = std::filesystem;

Error file_error(const fs::path& path, const char* what, int error_number) {
  const std::string start = path.string() + ": " + what + ": ";
  if (error_number == ENOSPC || error_number == EDQUOT) {
    return {Errc::io, start + "the disk is full; make room, or set QUERN_MODELS to a folder on another disk"};
  }
  if (error_number == EFBIG) return {Errc::io, start + "larger than files may be here (ulimit -f, or the file system)"};
  if (error_number == ENOENT) return {Errc::not_found, start + std::strerror(error_number)};
  return {Errc::io, start + std::strerror(error_number)};
}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Result<File> File::open(const fs::path& path, int flags, unsigned mode) {
  int fd = -1;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, mode);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return file_error(path, "cannot open", errno);
  return File(fd);
}

void File::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Status write_all(const File& file, const fs::path& path, const void* data, size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::write(file.fd(), at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(path, "cannot write", errno);
    at += n;
    size -= static_cast<size_t>(n);
  }
  return {};
}

Result<size_t> read_some(const File& file, const fs::path& path, void* data, size_t size) {
  size_t total = 0;
  while (total < size) {
    const ssize_t n = ::read(file.fd(), static_cast<char*>(data) + total, size - total);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error(path, "cannot read", errno);
    if (n == 0) break;
    total += static_cast<size_t>(n);
  }
  return total;
}

Result<uint64_t> size_of(const File& file, const fs::path& path) {
  struct stat status = {};
  if (::fstat(file.fd(), &status) != 0) return file_error(path, "cannot look at", errno);
  if (!S_ISREG(status.st_mode)) return Error{Errc::format, path.string() + ": not a regular file"};
  return static_cast<uint64_t>(status.st_size);
}

Result<std::string> read_file(const fs::path& path, size_t limit) {
  QUERN_TRY(const File file, File::open(path, O_RDONLY | O_NONBLOCK));
  QUERN_TRY(const uint64_t size, size_of(file, path));
  if (size > limit) {
    return Error{Errc::format, path.string() + ": " + std::to_string(size) + " bytes, where at most " +
                                   std::to_string(limit) + " are expected"};
  }
  std::string out(static_cast<size_t>(size), '\0');
  QUERN_TRY(const size_t n, read_some(file, path, out.data(), out.size()));
  out.resize(n);
  return out;
}

/// How often something is tried again in a folder that somebody else took away, as it was empty, before it was used.
constexpr int kAttempts = 100;

Status make_folders(const fs::path& folder) {
  std::error_code error;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    fs::create_directories(folder, error);
    if (error != std::errc::no_such_file_or_directory) break;
  }
  if (error) return file_error(folder, "cannot make the folder", error.value());
  return {};
}

void sync_folder(const fs::path& folder) {
  // Best effort: some file systems refuse it, and there is nothing to do about that.
  if (const auto file = File::open(folder, O_RDONLY | O_DIRECTORY)) ::fsync(file->fd());
}

namespace {

Status write_beside(const fs::path& path, const fs::path& temporary, std::string_view content) {
  QUERN_CHECK(make_folders(path.parent_path()));
  QUERN_TRY(const File file, File::open(temporary, O_WRONLY | O_CREAT | O_TRUNC));
  QUERN_CHECK(write_all(file, temporary, content.data(), content.size()));
  if (::fsync(file.fd()) != 0) return file_error(temporary, "cannot write", errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return file_error(path, "cannot write", errno);
  return {};
}

}  // namespace

Status write_atomically(const fs::path& path, std::string_view content) {
  static std::atomic<uint64_t> counter{0};
  // Hidden, so that nobody takes it for a manifest: those never begin with a dot.
  const fs::path temporary = path.parent_path() / (".quern-" + std::to_string(::getpid()) + "-" +
                                                   std::to_string(counter.fetch_add(1)) + ".tmp");
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    status = write_beside(path, temporary, content);
    if (status || status.error().code != Errc::not_found) break;
  }
  if (!status) ::unlink(temporary.c_str());
  if (status) sync_folder(path.parent_path());
  return status;
}

std::optional<uint64_t> free_bytes(const fs::path& folder) {
  struct statvfs status = {};
  if (::statvfs(folder.c_str(), &status) != 0) return std::nullopt;
  return static_cast<uint64_t>(status.f_bavail) * static_cast<uint64_t>(status.f_frsize);
}

namespace {

/// Opens and locks; a lock on a file that was deleted meanwhile is none, so it is tried again. The result is not open
/// where another has the lock and `wait` is false.
Result<File> locked_file(const fs::path& path, bool wait) {
  QUERN_CHECK(make_folders(path.parent_path()));
  while (true) {
    QUERN_TRY(File file, File::open(path, O_RDWR | O_CREAT));
    int failed = 0;
    do failed = ::flock(file.fd(), LOCK_EX | (wait ? 0 : LOCK_NB));
    while (failed != 0 && errno == EINTR);
    if (failed != 0 && errno == EWOULDBLOCK) return File();
    if (failed != 0) return file_error(path, "cannot lock", errno);
    struct stat held = {}, named = {};
    if (::fstat(file.fd(), &held) != 0) return file_error(path, "cannot lock", errno);
    if (::stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev) {
      return Result<File>(std::move(file));
    }
  }
}

}  // namespace

Result<std::optional<Lock>> Lock::try_exclusive(const fs::path& path) {
  QUERN_TRY(File file, locked_file(path, false));
  if (!file.is_open()) return std::optional<Lock>();
  return std::optional<Lock>(Lock(std::move(file)));
}

Result<Lock> Lock::exclusive(const fs::path& path) {
  QUERN_TRY(File file, locked_file(path, true));
  return Lock(std::move(file));
}

}  // namespace quern::store
