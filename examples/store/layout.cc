#include "examples/store/layout.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "examples/store/text.h"
#include "examples/store/try.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

/// The names in a folder, sorted; none where there is no folder.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    out.push_back(it->path().filename().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool is_there(const fs::path& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0;
}

/// Digests of the pins whose holders live. Those of the dead are deleted.
Result<std::set<Digest>> pinned(const Layout& layout) {
  std::set<Digest> out;
  for (const auto& name : names_in(layout.pins())) {
    const fs::path path = layout.pins() / name;
    QUERN_TRY(const auto lock, Lock::try_exclusive(path));
    if (lock) {
      ::unlink(path.c_str());
      continue;
    }
    QUERN_TRY(const std::string text, read_file(path, kMaxTextBytes));
    std::string_view rest = text;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      if (const auto digest = Digest::parse(rest.substr(0, end))) out.insert(*digest);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return out;
}

struct InUse {
  std::set<Digest> blobs;
  std::set<std::string> manifests;
};

/// What manifests and pins name. A manifest that cannot be read is an error here: what it names must not be deleted.
Result<InUse> in_use(const Layout& layout) {
  InUse out;
  std::vector<std::string> problems;
  QUERN_TRY(const auto manifests, all_manifests(layout, &problems));
  if (!problems.empty()) {
    return Error{Errc::format, "nothing was deleted, as what is still needed is not known: " + problems[0]};
  }
  for (const auto& [name, file] : manifests) {
    for (const auto& layer : file.manifest.blobs()) out.blobs.insert(layer.digest);
    out.manifests.insert(file.digest);
  }
  QUERN_TRY(const auto pins, pinned(layout));
  out.blobs.insert(pins.begin(), pins.end());
  return out;
}

void remove_views(const Layout& layout, const std::set<std::string>& manifests) {
  for (const auto& name : names_in(layout.views())) {
    std::error_code error;
    if (manifests.count(name) == 0) fs::remove_all(layout.views() / name, error);
  }
}

/// Counts and deletes. A file that is not there any more is nothing to tell.
Status remove_file(const fs::path& path, Removed& removed) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return file_error(path, "cannot delete", errno);
  ++removed.blobs;
  removed.bytes += static_cast<uint64_t>(status.st_size);
  return {};
}

/// What is left of downloads that nobody holds the lock of.
Status remove_partial_files(const Layout& layout, Removed& removed) {
  for (const auto& name : names_in(layout.partial())) {
    const fs::path path = layout.partial() / name;
    if (name == layout.mutex().filename() || path == layout.pins() || path.extension() == ".lock") continue;
    QUERN_TRY(const auto lock, Lock::try_exclusive(fs::path(path).replace_extension(".lock")));
    if (lock) QUERN_CHECK(remove_file(path, removed));
  }
  for (const auto& name : names_in(layout.partial())) {
    const fs::path path = layout.partial() / name;
    if (path == layout.mutex() || path.extension() != ".lock") continue;
    QUERN_TRY(const auto lock, Lock::try_exclusive(path));
    if (lock) ::unlink(path.c_str());
  }
  return {};
}

}  // namespace

fs::path Layout::manifest(const ModelName& name) const {
  const fs::path exact = manifests() / name.relative_path();
  if (is_there(exact)) return exact;
  fs::path path = manifests();
  for (const auto& part : name.relative_path()) {
    fs::path next = path / part;
    if (!is_there(next)) {
      for (const auto& other : names_in(path)) {
        if (equal_ignoring_case(other, part.string())) next = path / other;
      }
    }
    path = next;
  }
  return path;
}

Result<ManifestFile> read_manifest(const fs::path& path) {
  QUERN_TRY(const std::string text, read_file(path, kMaxManifestBytes));
  QUERN_TRY(Manifest manifest, Manifest::parse(text, path.string()));
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) return file_error(path, "cannot look at", errno);
  const int64_t modified = static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
  return ManifestFile{path, digest_of(text).hex(), modified, std::move(manifest)};
}

Result<std::vector<NamedManifest>> all_manifests(const Layout& layout, std::vector<std::string>* problems) {
  std::vector<NamedManifest> out;
  const fs::path root = layout.manifests();
  for (const auto& host : names_in(root)) {
    for (const auto& owner : names_in(root / host)) {
      for (const auto& model : names_in(root / host / owner)) {
        for (const auto& tag : names_in(root / host / owner / model)) {
          const auto name = ModelName::parse(host + "/" + owner + "/" + model + ":" + tag);
          if (!name) continue;
          auto file = read_manifest(root / host / owner / model / tag);
          if (file) {
            out.push_back({*name, std::move(*file)});
          } else if (file.error().code != Errc::not_found && problems != nullptr) {  // else deleted meanwhile
            problems->push_back(file.error().message);
          }
        }
      }
    }
  }
  return out;
}

Result<Pin> Pin::create(const Layout& layout, const std::vector<Digest>& digests) {
  static std::atomic<uint64_t> counter{0};
  const fs::path path =
      layout.pins() / (std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1)) + ".pin");
  QUERN_TRY(const Lock mutex, Lock::exclusive(layout.mutex()));
  QUERN_TRY(Lock lock, Lock::exclusive(path));
  Pin pin(std::move(lock), path);
  std::string text;
  for (const auto& digest : digests) text += digest.text() + "\n";
  QUERN_CHECK(write_all(pin.lock_.file(), path, text.data(), text.size()));
  pin.digests_ = digests;
  return pin;
}

Status Pin::add(const Layout& layout, const Digest& digest) {
  QUERN_TRY(const Lock mutex, Lock::exclusive(layout.mutex()));
  const std::string text = digest.text() + "\n";
  QUERN_CHECK(write_all(lock_.file(), path_, text.data(), text.size()));
  digests_.push_back(digest);
  return {};
}

std::vector<Digest> Pin::release() {
  if (lock_.file().is_open()) ::unlink(path_.c_str());
  lock_.release();
  return std::exchange(digests_, {});
}

Pin::~Pin() { release(); }

Result<Removed> collect(const Layout& layout, const std::vector<Digest>& candidates) {
  Removed removed;
  QUERN_TRY(const Lock mutex, Lock::exclusive(layout.mutex()));
  QUERN_TRY(const InUse used, in_use(layout));
  for (const auto& digest : std::set<Digest>(candidates.begin(), candidates.end())) {
    if (used.blobs.count(digest) == 0) QUERN_CHECK(remove_file(layout.blob(digest), removed));
  }
  remove_views(layout, used.manifests);
  return removed;
}

Result<Removed> collect_all(const Layout& layout) {
  Removed removed;
  if (!is_there(layout.root())) return removed;
  QUERN_TRY(const Lock mutex, Lock::exclusive(layout.mutex()));
  QUERN_TRY(const InUse used, in_use(layout));
  for (const auto& name : names_in(layout.blobs())) {
    const auto digest = Digest::parse(name);
    // Other names are what Ollama keeps of its own unfinished downloads.
    if (digest && used.blobs.count(*digest) > 0) continue;
    QUERN_CHECK(remove_file(layout.blobs() / name, removed));
  }
  remove_views(layout, used.manifests);
  QUERN_CHECK(remove_partial_files(layout, removed));
  return removed;
}

Status install_manifest(const Layout& layout, const ModelName& name, std::string_view bytes) {
  const fs::path path = layout.manifest(name);
  std::vector<Digest> before;
  if (const auto old = read_manifest(path)) {
    for (const auto& layer : old->manifest.blobs()) before.push_back(layer.digest);
  }
  QUERN_CHECK(write_atomically(path, bytes));
  // What cannot be deleted is no reason to call the new model a failure: `prune` finds it later.
  if (!before.empty()) (void)collect(layout, before);
  return {};
}

}  // namespace quern::store
