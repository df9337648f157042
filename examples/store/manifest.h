// Manifests and configurations: the JSON by which a name means blobs. The form is the image manifest of Docker's
// registry, version 2, schema 2 (https://distribution.github.io/distribution/spec/manifest-v2-2/), with Ollama's media
// types.
#pragma once

#include <quern/result.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "examples/store/digest.h"
#include "examples/store/store.h"

namespace quern::store {

inline constexpr std::string_view kManifestType = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kConfigType = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kModelType = "application/vnd.ollama.image.model";
inline constexpr std::string_view kAdapterType = "application/vnd.ollama.image.adapter";
inline constexpr std::string_view kProjectorType = "application/vnd.ollama.image.projector";
inline constexpr std::string_view kTemplateType = "application/vnd.ollama.image.template";
inline constexpr std::string_view kSystemType = "application/vnd.ollama.image.system";
inline constexpr std::string_view kParamsType = "application/vnd.ollama.image.params";
inline constexpr std::string_view kLicenseType = "application/vnd.ollama.image.license";
inline constexpr std::string_view kMessagesType = "application/vnd.ollama.image.messages";
/// Ours: one of several files that are a model together, by the name in `name`: the parts of a split GGUF, or a
/// Hugging Face folder. Ollama skips media types that it does not know.
inline constexpr std::string_view kFileType = "application/vnd.quern.model.file";

/// Ours: one file of a PEFT folder, the adapter of the model. At most one such folder belongs to a model.
inline constexpr std::string_view kAdapterFileType = "application/vnd.quern.adapter.file";

inline constexpr size_t kMaxManifestBytes = size_t{4} << 20;
inline constexpr size_t kMaxConfigBytes = size_t{4} << 20;
inline constexpr size_t kMaxLayers = 4096;
inline constexpr size_t kMaxTextBytes = size_t{16} << 20;     ///< Of a template, licence and so on.
inline constexpr uint64_t kMaxBlobBytes = uint64_t{1} << 46;  ///< 64 TiB
inline constexpr size_t kMaxFileNameBytes = 200;

struct Layer {
  std::string media_type;
  Digest digest;
  uint64_t size = 0;
  std::string name{};  ///< Of kFileType and kAdapterFileType: a plain file name, no folder.
};

struct Manifest {
  std::vector<Layer> config;  ///< One, or none in manifests of other programs.
  std::vector<Layer> layers;

  /// Errc::format names the key at fault. `where` is for messages.
  static Result<Manifest> parse(std::string_view json, const std::string& where);
  std::string dump() const;
  uint64_t size_bytes() const;
  /// The layers and the configuration.
  std::vector<Layer> blobs() const;
  const Layer* find(std::string_view media_type) const;
};

/// A plain file name that may stand in a folder of links: no '/', no NUL, not hidden, at most kMaxFileNameBytes.
bool is_plain_file_name(std::string_view name);

/// What a configuration says beyond its details.
struct Config {
  Details details;
  std::string requires_version;
  std::string source;  ///< Ours: "quern_source", the address of a model that came from a plain URL.

  static Result<Config> parse(std::string_view json, const std::string& where);
  std::string dump() const;
};

/// The messages layer: a list of {"role", "content"}.
Result<std::vector<Message>> parse_messages(std::string_view json, const std::string& where);
std::string dump_messages(const std::vector<Message>& messages);

}  // namespace quern::store
