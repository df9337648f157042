#include "examples/store/blobs.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "examples/store/download.h"
#include "examples/store/try.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

constexpr size_t kChunk = size_t{1} << 20;

}  // namespace

Result<NewBlob> NewBlob::create(const Layout& layout) {
  static std::atomic<uint64_t> counter{0};
  const std::string name = "new-" + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1));
  QUERN_TRY(Lock lock, Lock::exclusive(layout.partial() / (name + ".lock")));
  const fs::path path = layout.partial() / (name + ".part");
  QUERN_TRY(File file, File::open(path, O_RDWR | O_CREAT | O_TRUNC));
  return NewBlob(layout, std::move(lock), path, std::move(file));
}

NewBlob::~NewBlob() {
  if (!lock_.file().is_open()) return;  // moved from
  ::unlink(path_.c_str());
  ::unlink(fs::path(path_).replace_extension(".lock").c_str());
}

Status NewBlob::write(const void* data, size_t size) {
  QUERN_CHECK(write_all(file_, path_, data, size));
  hasher_.update(data, size);
  size_ += size;
  return {};
}

Status NewBlob::copy_from(const fs::path& source, const ProgressedFn& progressed) {
  QUERN_TRY(const File in, File::open(source, O_RDONLY | O_NONBLOCK));
  QUERN_TRY(const uint64_t size, size_of(in, source));
  // Where the file system can (btrfs, XFS), both files share their bytes until one of them is written to.
  if (::ioctl(file_.fd(), FICLONE, in.fd()) == 0) return take_over(progressed);
  QUERN_CHECK(check_room(layout_, size));
  std::string chunk(kChunk, '\0');
  while (true) {
    QUERN_TRY(const size_t n, read_some(in, source, chunk.data(), chunk.size()));
    if (n == 0) return {};
    QUERN_CHECK(write(chunk.data(), n));
    QUERN_CHECK(progressed(size_));
  }
}

Status NewBlob::take_over(const ProgressedFn& progressed) {
  QUERN_TRY(file_, File::open(path_, O_RDWR));  // it may be another file now
  std::string chunk(kChunk, '\0');
  while (true) {
    QUERN_TRY(const size_t n, read_some(file_, path_, chunk.data(), chunk.size()));
    if (n == 0) return {};
    hasher_.update(chunk.data(), n);
    size_ += n;
    QUERN_CHECK(progressed(size_));
  }
}

Digest NewBlob::digest() { return hasher_.digest(); }

Status NewBlob::commit(const Digest& digest) {
  if (::fsync(file_.fd()) != 0) return file_error(path_, "cannot write", errno);
  const fs::path blob = layout_.blob(digest);
  QUERN_CHECK(make_folders(blob.parent_path()));
  if (::rename(path_.c_str(), blob.c_str()) != 0) return file_error(blob, "cannot write", errno);
  sync_folder(blob.parent_path());
  return {};
}

struct BlobWriter::Impl {
  NewBlob blob;
  Digest expected;
};

BlobWriter::BlobWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BlobWriter::BlobWriter(BlobWriter&&) noexcept = default;
BlobWriter& BlobWriter::operator=(BlobWriter&&) noexcept = default;
BlobWriter::~BlobWriter() = default;

Status BlobWriter::write(const void* data, size_t size) { return impl_->blob.write(data, size); }

Status BlobWriter::commit() {
  const Digest found = impl_->blob.digest();
  if (found != impl_->expected) {
    return Error{Errc::format, "the digest of the upload is " + found.text() + ", expected " + impl_->expected.text()};
  }
  return impl_->blob.commit(found);
}

Result<BlobWriter> Store::write_blob(std::string_view text) {
  QUERN_TRY(Digest digest, Digest::parse(text));
  QUERN_TRY(NewBlob blob, NewBlob::create(Layout(root_)));
  return BlobWriter(std::unique_ptr<BlobWriter::Impl>(new BlobWriter::Impl{std::move(blob), std::move(digest)}));
}

}  // namespace quern::store
