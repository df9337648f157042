#include "lib/base/folder.h"

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

#include "lib/base/file.h"

namespace quern::base {
namespace fs = std::filesystem;
namespace {

Error fs_error(const std::string& path, std::string_view action, const std::error_code& code) {
  return fail(Errc::io, path, ": cannot ", action, ": ", code.message());
}

}  // namespace

Result<AtomicFolder> AtomicFolder::create(const std::string& path) {
  AtomicFolder out;
  out.path_ = path;
  while (out.path_.size() > 1 && out.path_.back() == '/') out.path_.pop_back();
  QUERN_ENSURE(!out.path_.empty() && out.path_ != "/", Errc::argument, "'", path, "' is no name for a new folder");
  std::error_code error;
  const fs::file_status status = fs::status(out.path_, error);
  if (fs::exists(status)) {
    const bool empty = fs::is_directory(status) && fs::is_empty(out.path_, error);
    QUERN_ENSURE(empty, Errc::argument, out.path_, ": exists already; give another name, or remove it first");
  }
  // A short name of its own, since the longest legal name leaves no room for a suffix. Names that a killed process left
  // behind are passed over.
  constexpr int kMaxAttempts = 1000;
  const fs::path parent = fs::path(out.path_).has_parent_path() ? fs::path(out.path_).parent_path() : fs::path(".");
  for (int attempt = 0; out.temporary_.empty(); ++attempt) {
    const std::string name =
        (parent / cat(".quern-", static_cast<int64_t>(::getpid()), "-", attempt, ".part")).string();
    if (fs::create_directory(name, error)) {
      out.temporary_ = name;
    } else if (error || attempt == kMaxAttempts) {
      return fs_error(out.path_, "create", error);
    }
  }
  return out;
}

AtomicFolder::AtomicFolder(AtomicFolder&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::exchange(other.temporary_, {})) {}

AtomicFolder& AtomicFolder::operator=(AtomicFolder&& other) noexcept {
  if (this == &other) return *this;
  discard();
  path_ = std::move(other.path_);
  temporary_ = std::exchange(other.temporary_, {});
  return *this;
}

AtomicFolder::~AtomicFolder() { discard(); }

void AtomicFolder::discard() noexcept {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  temporary_.clear();
}

Status AtomicFolder::commit() {
  QUERN_ENSURE(!temporary_.empty(), Errc::argument, path_, ": cannot commit: the folder is already committed");
  std::error_code error;
  fs::rename(temporary_, path_, error);
  if (error) return fs_error(path_, "create", error);
  temporary_.clear();
  return {};
}

Status copy_file(const std::string& from, const std::string& to) {
  QUERN_TRY(const FileBytes source, FileBytes::open(from, {}));
  QUERN_TRY(AtomicFile file, AtomicFile::create(to));
  QUERN_CHECK(file.write(source.bytes()));
  return file.commit();
}

}  // namespace quern::base
