// Models of several files: they know each other by name, and blobs have other names, so they get a folder of links,
// views/<digest of the manifest>/.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "examples/store/hub.h"
#include "examples/store/layout.h"
#include "examples/store/try.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

constexpr const char* kAdapterFolder = "adapter";

Status link_files(const Manifest& manifest, std::string_view media_type, const fs::path& folder, const fs::path& up) {
  for (const auto& layer : manifest.layers) {
    if (layer.media_type != media_type) continue;
    QUERN_CHECK(make_folders(folder));
    std::error_code error;
    fs::create_symlink(up / "blobs" / layer.digest.file_name(), folder / layer.name, error);
    if (error) return file_error(folder / layer.name, "cannot make a link", error.value());
  }
  return {};
}

Result<fs::path> view_of(const Layout& layout, const ManifestFile& file) {
  static std::atomic<uint64_t> counter{0};
  const fs::path folder = layout.views() / file.digest;
  std::error_code error;
  if (fs::is_directory(folder, error)) return folder;
  // A removal at the same time would take half a view for a leftover.
  QUERN_TRY(const Lock mutex, Lock::exclusive(layout.mutex()));
  const fs::path temporary =
      layout.views() / (".quern-" + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1)) + ".tmp");
  Status status = make_folders(temporary);
  if (status) status = link_files(file.manifest, kFileType, temporary, "../..");
  if (status) status = link_files(file.manifest, kAdapterFileType, temporary / kAdapterFolder, "../../..");
  if (status) {
    fs::rename(temporary, folder, error);  // fails where somebody else was quicker: the links are the same
    if (!fs::is_directory(folder, error)) status = file_error(folder, "cannot make the folder", EIO);
  }
  fs::remove_all(temporary, error);
  if (!status) return status.error();
  return folder;
}

}  // namespace

Result<std::string> model_path(const Layout& layout, const ManifestFile& file) {
  if (const Layer* model = file.manifest.find(kModelType)) return layout.blob(model->digest).string();
  if (file.manifest.find(kFileType) == nullptr) {
    return Error{Errc::format,
                 file.path.string() + ": the manifest names no model file; only Ollama runs such a model"};
  }
  QUERN_TRY(const fs::path folder, view_of(layout, file));
  for (const auto& layer : file.manifest.layers) {
    const auto split = layer.media_type == kFileType ? parse_split_name(layer.name) : std::nullopt;
    if (split && split->number == 1) return (folder / layer.name).string();
  }
  return folder.string();
}

Result<std::string> adapter_folder(const Layout& layout, const ManifestFile& file) {
  if (file.manifest.find(kAdapterFileType) == nullptr) return std::string();
  QUERN_TRY(const fs::path folder, view_of(layout, file));
  return (folder / kAdapterFolder).string();
}

void drop_view(const Layout& layout, const ManifestFile& file) {
  if (file.manifest.find(kFileType) == nullptr && file.manifest.find(kAdapterFileType) == nullptr) return;
  std::error_code error;
  fs::remove_all(layout.views() / file.digest, error);
}

}  // namespace quern::store
