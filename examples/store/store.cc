#include "examples/store/store.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "examples/store/card.h"
#include "examples/store/layout.h"
#include "examples/store/try.h"

namespace quern::store {

namespace fs = std::filesystem;

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// "~/models" as a shell would read it: people write it into files where no shell looks.
fs::path expanded(const std::string& path) {
  if (path.substr(0, 2) == "~/" && !environment("HOME").empty()) return fs::path(environment("HOME")) / path.substr(2);
  return path;
}

Details details_of(const Layout& layout, const Manifest& manifest, Config* whole = nullptr) {
  if (manifest.config.empty()) return {};
  const fs::path path = layout.blob(manifest.config[0].digest);
  const auto text = read_file(path, kMaxConfigBytes);
  auto config = text ? Config::parse(*text, path.string()) : Result<Config>(Config{});
  if (!config) return {};
  if (whole != nullptr) *whole = *config;
  return config->details;
}

Entry entry_of(const Layout& layout, const ModelName& name, const ManifestFile& file) {
  return Entry{name, file.digest, file.manifest.size_bytes(), file.modified_ns, details_of(layout, file.manifest)};
}

/// Where the letters' case in the name differs from that on disk, the disk is right.
ModelName name_on_disk(const fs::path& manifest, const ModelName& asked) {
  const fs::path tag = manifest, model = tag.parent_path(), owner = model.parent_path(), host = owner.parent_path();
  const auto name = ModelName::parse(host.filename().string() + "/" + owner.filename().string() + "/" +
                                     model.filename().string() + ":" + tag.filename().string());
  return name ? *name : asked;
}

Status read_layer(const Layout& layout, const Layer& layer, StoredModel& out) {
  const fs::path path = layout.blob(layer.digest);
  if (layer.media_type == kAdapterType) {
    out.adapters.push_back(path.string());
    return {};
  }
  if (layer.media_type == kProjectorType) {
    out.projectors.push_back(path.string());
    return {};
  }
  const bool is_text = layer.media_type == kTemplateType || layer.media_type == kSystemType ||
                       layer.media_type == kParamsType || layer.media_type == kLicenseType ||
                       layer.media_type == kMessagesType;
  if (!is_text) return {};
  QUERN_TRY(std::string text, read_file(path, kMaxTextBytes));
  if (layer.media_type == kTemplateType)
    out.tmpl = std::move(text);
  else if (layer.media_type == kSystemType)
    out.system = std::move(text);
  else if (layer.media_type == kLicenseType)
    out.licenses.push_back(std::move(text));
  else if (layer.media_type == kMessagesType) {
    QUERN_TRY(out.messages, parse_messages(text, path.string()));
  } else {
    QUERN_TRY(out.parameters, parameters_from_json(text));
    out.parameters_json = std::move(text);
  }
  return {};
}

}  // namespace

Result<std::string> StoredModel::modelfile() const {
  Modelfile out;
  out.from = path;
  out.adapters = adapters;
  out.parameters = parameters;
  out.tmpl = tmpl;
  out.system = system;
  out.licenses = licenses;
  out.messages = messages;
  out.requires_version = requires_version;
  QUERN_TRY(const std::string text, out.print());
  return "# To build a new model from this one, replace FROM with:\n# FROM " + name.text() + "\n\n" + text;
}

Result<fs::path> Store::default_root() {
  if (!environment("QUERN_MODELS").empty()) return expanded(environment("QUERN_MODELS"));
  if (!environment("XDG_DATA_HOME").empty()) return fs::path(environment("XDG_DATA_HOME")) / "quern" / "models";
  std::string home = environment("HOME");
  if (home.empty()) {
    char buffer[4096];
    struct passwd entry = {};
    struct passwd* found = nullptr;
    if (::getpwuid_r(::getuid(), &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) home = entry.pw_dir;
  }
  if (home.empty()) return Error{Errc::not_found, "there is no home folder for the model store: set QUERN_MODELS"};
  return fs::path(home) / ".local" / "share" / "quern" / "models";
}

Result<Store> Store::open(const fs::path& root) {
  if (root.empty()) {
    QUERN_TRY(const fs::path found, default_root());
    return Store::open(found);
  }
  std::error_code error;
  const fs::path whole = fs::absolute(root, error);
  const fs::path path = error ? root : whole;
  if (fs::exists(path, error) && !fs::is_directory(path, error)) {
    return Error{Errc::io, path.string() + ": the model store must be a folder"};
  }
  return Store(path);
}

Result<std::vector<Entry>> Store::list(std::vector<std::string>* problems) const {
  const Layout layout(root_);
  QUERN_TRY(const auto manifests, all_manifests(layout, problems));
  std::vector<Entry> out;
  for (const auto& [name, file] : manifests) out.push_back(entry_of(layout, name, file));
  std::stable_sort(out.begin(), out.end(),
                   [](const Entry& a, const Entry& b) { return a.modified_ns > b.modified_ns; });
  return out;
}

bool Store::contains(const ModelName& name) const {
  struct stat status = {};
  return ::stat(Layout(root_).manifest(name).c_str(), &status) == 0;
}

Result<StoredModel> Store::find(const ModelName& asked) const {
  const Layout layout(root_);
  const fs::path path = layout.manifest(asked);
  auto file = read_manifest(path);
  if (!file && file.error().code == Errc::not_found) {
    return Error{Errc::not_found, "there is no model '" + asked.text() + "' in the store (" + root_.string() + ")"};
  }
  if (!file) return file.error();
  const ModelName name = name_on_disk(path, asked);
  StoredModel out{entry_of(layout, name, *file)};
  Config config;
  (void)details_of(layout, file->manifest, &config);
  out.requires_version = config.requires_version;
  out.source = config.source;
  out.parameters_json = "{}";
  for (const auto& layer : file->manifest.layers) QUERN_CHECK(read_layer(layout, layer, out));
  QUERN_TRY(out.path, model_path(layout, *file));
  QUERN_TRY(std::string adapter, adapter_folder(layout, *file));
  if (!adapter.empty()) out.adapters.push_back(std::move(adapter));
  return out;
}

Result<Card> Store::card(const StoredModel& model) const { return read_card(model); }

Result<Removed> Store::remove(const ModelName& name) {
  const Layout layout(root_);
  const fs::path path = layout.manifest(name);
  std::vector<Digest> blobs;
  const auto file = read_manifest(path);
  if (file) {
    for (const auto& layer : file->manifest.blobs()) blobs.push_back(layer.digest);
  }
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return Error{Errc::not_found, "there is no model '" + name.text() + "' in the store (" + root_.string() + ")"};
    }
    return file_error(path, "cannot delete", errno);
  }
  // Folders that are empty now; those that are not refuse.
  fs::path folder = path.parent_path();
  for (int level = 0; level < 3 && ::rmdir(folder.c_str()) == 0; ++level) folder = folder.parent_path();
  return collect(layout, blobs);
}

Status Store::copy(const ModelName& from, const ModelName& to) {
  const Layout layout(root_);
  const auto source = read_manifest(layout.manifest(from));
  if (!source && source.error().code == Errc::not_found) {
    return Error{Errc::not_found, "there is no model '" + from.text() + "' in the store (" + root_.string() + ")"};
  }
  if (!source) return source.error();
  std::vector<Digest> digests;
  for (const auto& layer : source->manifest.blobs()) digests.push_back(layer.digest);
  QUERN_TRY(const Pin pin, Pin::create(layout, digests));
  QUERN_TRY(const std::string bytes, read_file(source->path, kMaxManifestBytes));
  return install_manifest(layout, to, bytes);
}

Result<Removed> Store::prune() { return collect_all(Layout(root_)); }

Result<bool> Store::has_blob(std::string_view text) const {
  QUERN_TRY(const Digest digest, Digest::parse(text));
  std::error_code error;
  return fs::is_regular_file(Layout(root_).blob(digest), error);
}

}  // namespace quern::store
