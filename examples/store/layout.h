// Where things lie below the root, and who may delete what. README.md shows the folders.
#pragma once

#include <quern/result.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "examples/store/digest.h"
#include "examples/store/files.h"
#include "examples/store/manifest.h"
#include "examples/store/name.h"
#include "examples/store/store.h"

namespace quern::store {

/// Paths of the store in `root`.
class Layout {
 public:
  explicit Layout(std::filesystem::path root) : root_(std::move(root)) {}
  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path manifests() const { return root_ / "manifests"; }
  std::filesystem::path blobs() const { return root_ / "blobs"; }
  std::filesystem::path partial() const { return root_ / "partial"; }
  std::filesystem::path pins() const { return root_ / "partial" / "pins"; }
  std::filesystem::path views() const { return root_ / "views"; }
  std::filesystem::path mutex() const { return root_ / "partial" / "store.lock"; }
  std::filesystem::path blob(const Digest& digest) const { return blobs() / digest.file_name(); }
  /// The manifest's file: that of a name which differs in the case of its letters, if there is one.
  std::filesystem::path manifest(const ModelName& name) const;

 private:
  std::filesystem::path root_;
};

/// A manifest as it lies on disk.
struct ManifestFile {
  std::filesystem::path path;
  std::string digest;  ///< SHA-256 of its bytes, in hexadecimal digits
  int64_t modified_ns = 0;
  Manifest manifest;
};
Result<ManifestFile> read_manifest(const std::filesystem::path& path);

struct NamedManifest {
  ModelName name;
  ManifestFile file;
};
/// Every manifest of the store. What is no name is skipped; what cannot be read is named in `problems`.
Result<std::vector<NamedManifest>> all_manifests(const Layout& layout, std::vector<std::string>* problems);

/// Blobs that an operation in progress counts on: they are not deleted while it lives, though no manifest names them
/// yet. A pin belongs to a lock, so that of a process that has died counts no more.
class Pin {
 public:
  static Result<Pin> create(const Layout& layout, const std::vector<Digest>& digests);
  /// One more, from now on.
  Status add(const Layout& layout, const Digest& digest);
  /// Lets go of all, and tells which they were.
  std::vector<Digest> release();
  Pin(Pin&&) noexcept = default;
  Pin& operator=(Pin&&) = delete;
  ~Pin();

 private:
  Pin(Lock lock, std::filesystem::path path) : lock_(std::move(lock)), path_(std::move(path)) {}
  Lock lock_;
  std::filesystem::path path_;
  std::vector<Digest> digests_;
};

/// Deletes those of `candidates` that neither a manifest nor a living pin names, and views of manifests that are gone.
Result<Removed> collect(const Layout& layout, const std::vector<Digest>& candidates);

/// The same for everything: all blobs, and what remains of broken downloads.
Result<Removed> collect_all(const Layout& layout);

/// Writes the manifest of a name; blobs that only the one before used are deleted.
Status install_manifest(const Layout& layout, const ModelName& name, std::string_view bytes);

/// The path by which a model is opened: its blob, or of several files, that of a folder of links to the blobs which is
/// made where it is not there; of a split GGUF, its first part in that folder. Errc::format if there is no model.
Result<std::string> model_path(const Layout& layout, const ManifestFile& file);
/// The folder of a PEFT adapter's links; empty if the model has none.
Result<std::string> adapter_folder(const Layout& layout, const ManifestFile& file);
/// Takes the folder of links away.
void drop_view(const Layout& layout, const ManifestFile& file);

}  // namespace quern::store
