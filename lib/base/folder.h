// Folders that appear whole or not at all.
#pragma once

#include <string>

#include "lib/base/status.h"

namespace quern::base {

/// Files go into temporary_path(), which commit() renames to `path`. Without commit() nothing remains. `path` must not
/// exist, or be an empty folder. Move-only.
class AtomicFolder {
 public:
  static Result<AtomicFolder> create(const std::string& path);
  AtomicFolder(AtomicFolder&& other) noexcept;
  AtomicFolder& operator=(AtomicFolder&& other) noexcept;
  ~AtomicFolder();

  /// Beside `path`, on the same file system.
  const std::string& temporary_path() const { return temporary_; }
  Status commit();

 private:
  AtomicFolder() = default;
  void discard() noexcept;
  std::string path_, temporary_;
};

/// Copies a regular file; on any failure `to` is as it was before.
Status copy_file(const std::string& from, const std::string& to);

}  // namespace quern::base
