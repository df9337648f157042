// Files through POSIX: open, mmap, read, write, fsync, rename. Every call is checked, interrupted ones are repeated,
// short ones are continued.
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace quern::base {
namespace {

// The kernel moves at most about 2 GiB in one call; stay well below.
constexpr size_t kMaxTransferBytes = size_t{1} << 30;

Error os_error(const std::string& path, std::string_view action, int code) {
  const Errc kind = code == ENOENT || code == ENOTDIR ? Errc::not_found : code == ENOMEM ? Errc::memory : Errc::io;
  return fail(kind, path, ": cannot ", action, ": ", std::generic_category().message(code));
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

int open_retrying(const char* path, int flags, mode_t mode = 0) {
  int fd;
  do fd = ::open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

Status check_path(const std::string& path) {
  QUERN_ENSURE(!path.empty(), Errc::argument, "the file name is empty");
  QUERN_ENSURE(path.find('\0') == std::string::npos, Errc::argument, "the file name '", path.c_str(),
               "' goes on after a NUL character");
  return {};
}

const char* kind_of_file(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

/// Fills `out` from the start of the file. A file that ends early has shrunk since its size was taken.
Status read_fully(int fd, std::span<std::byte> out, const std::string& path) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n =
        ::pread(fd, out.data() + done, std::min(out.size() - done, kMaxTransferBytes), static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_error(path, "read", errno);
    QUERN_ENSURE(n > 0, Errc::io, path, ": the file became shorter while it was read: expected ", out.size(),
                 " bytes, found ", done);
    done += static_cast<size_t>(n);
  }
  return {};
}

/// The folder of a path, as open() takes it: "." for a bare name.
std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// The file that renaming over `path` should replace: the target of a symbolic link, else `path` itself. Refuses what
/// is not a regular file: renaming over a device would replace the device.
Result<std::string> replaceable(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return path;  // a new file, or it will fail at creation
    return os_error(path, "write", errno);
  }
  QUERN_ENSURE(S_ISREG(info.st_mode), Errc::io, path, ": cannot write: it is ", kind_of_file(info.st_mode));
  char* const resolved = ::realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return os_error(path, "write", errno);
  std::string out(resolved);
  ::free(resolved);
  return out;
}

}  // namespace

Result<FileBytes> FileBytes::open(const std::string& path, Options options) {
  QUERN_CHECK(check_path(path));
  // O_NONBLOCK: opening a named pipe would otherwise wait for its writer. It means nothing for regular files.
  const Descriptor file(open_retrying(path.c_str(), O_RDONLY | O_NONBLOCK));
  if (file.get() < 0) return os_error(path, "open", errno);
  struct stat info;
  if (::fstat(file.get(), &info) != 0) return os_error(path, "examine", errno);
  QUERN_ENSURE(S_ISREG(info.st_mode), Errc::io, path, ": expected a regular file, found ", kind_of_file(info.st_mode));

  FileBytes out;
  out.path_ = path;
  out.mapped_ = options.use_mmap;
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) return out;  // an empty mapping is an error to mmap
  // Without mmap the memory is anonymous: page-aligned as well, returned to the system at once, and a refusal is an
  // error code rather than an exception.
  void* const memory = options.use_mmap
                           ? ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0)
                           : ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return os_error(path, cat(options.use_mmap ? "map " : "hold ", size, " bytes"), errno);
  out.bytes_ = {static_cast<const std::byte*>(memory), size};
  if (!options.use_mmap) QUERN_CHECK(read_fully(file.get(), {static_cast<std::byte*>(memory), size}, path));
  return out;
}

FileBytes::FileBytes(FileBytes&& other) noexcept
    : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, {})), mapped_(other.mapped_) {}

FileBytes& FileBytes::operator=(FileBytes&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(bytes_, other.bytes_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

FileBytes::~FileBytes() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void FileBytes::release(std::span<const std::byte> part) const {
  if (!mapped_ || part.empty() || part.data() < bytes_.data() || part.data() >= bytes_.data() + bytes_.size()) return;
  const auto left = static_cast<size_t>(bytes_.data() + bytes_.size() - part.data());
  release_mapped(part.first(std::min(part.size(), left)));
}

void FileBytes::release_mapped(std::span<const std::byte> part) {
  // Whole pages inside the part only: its first and last page may hold a neighbour's bytes.
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(part.data()), end = begin + part.size();
  const uintptr_t first = (begin + page - 1) / page * page, last = end / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

Result<AtomicFile> AtomicFile::create(const std::string& path) {
  QUERN_CHECK(check_path(path));
  AtomicFile out;
  QUERN_TRY(out.path_, replaceable(path));
  // A short name of its own, since the longest legal name leaves no room for a suffix. Names that a killed process left
  // behind are passed over.
  constexpr int kMaxAttempts = 1000;
  const std::string stem = cat(folder_of(out.path_), "/.quern-", static_cast<int64_t>(::getpid()), "-");
  for (int attempt = 0; out.fd_ < 0; ++attempt) {
    std::string name = cat(stem, attempt, ".part");
    out.fd_ = open_retrying(name.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (out.fd_ >= 0)
      out.temporary_ = std::move(name);
    else if (errno != EEXIST || attempt == kMaxAttempts)
      return os_error(path, "create", errno);
  }
  return out;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)),
      position_(other.position_) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this == &other) return *this;
  discard();
  path_ = std::move(other.path_);
  temporary_ = std::exchange(other.temporary_, {});
  fd_ = std::exchange(other.fd_, -1);
  position_ = other.position_;
  return *this;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  fd_ = -1;
  temporary_.clear();
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  QUERN_ENSURE(fd_ >= 0, Errc::argument, path_, ": cannot write: the file is already committed");
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), std::min(bytes.size(), kMaxTransferBytes));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_error(path_, "write", errno);
    bytes = bytes.subspan(static_cast<size_t>(n));
    position_ += static_cast<uint64_t>(n);
  }
  return {};
}

Status AtomicFile::extend(uint64_t size_bytes) {
  QUERN_ENSURE(fd_ >= 0 && size_bytes >= position_ && size_bytes <= INT64_MAX, Errc::argument, path_,
               ": cannot be made ", size_bytes, " bytes long");
  if (::ftruncate(fd_, static_cast<off_t>(size_bytes)) != 0) return os_error(path_, "write", errno);
  if (::lseek(fd_, static_cast<off_t>(size_bytes), SEEK_SET) < 0) return os_error(path_, "write", errno);
  position_ = size_bytes;
  return {};
}

Status AtomicFile::rewrite(uint64_t offset, std::span<const std::byte> bytes) {
  QUERN_ENSURE(fd_ >= 0 && offset + bytes.size() <= position_, Errc::argument, path_,
               ": cannot rewrite what was not written");
  while (!bytes.empty()) {
    const ssize_t n =
        ::pwrite(fd_, bytes.data(), std::min(bytes.size(), kMaxTransferBytes), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return os_error(path_, "write", errno);
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return {};
}

Status AtomicFile::commit() {
  QUERN_ENSURE(fd_ >= 0, Errc::argument, path_, ": cannot commit: the file is already committed");
  // The data must be on the disk before the name points to it, and the name before we say that it is done.
  if (::fsync(fd_) != 0) return os_error(path_, "flush", errno);
  if (::close(std::exchange(fd_, -1)) != 0) return os_error(path_, "close", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return os_error(path_, "replace", errno);
  temporary_.clear();
  const Descriptor folder(open_retrying(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY));
  if (folder.get() < 0) return os_error(path_, "open the folder", errno);
  // Some file systems cannot flush a folder and say so with EINVAL: the rename itself is still atomic.
  if (::fsync(folder.get()) != 0 && errno != EINVAL) return os_error(path_, "flush the folder", errno);
  return {};
}

}  // namespace quern::base
