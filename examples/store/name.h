// Names of models, and what else a user may type where a model is asked for. Paths inside the store are made from a
// validated ModelName and from nothing else.
#pragma once

#include <quern/result.h>

#include <compare>
#include <filesystem>
#include <string>
#include <string_view>

namespace quern::store {

inline constexpr std::string_view kDefaultHost = "registry.ollama.ai";
inline constexpr std::string_view kDefaultNamespace = "library";
inline constexpr std::string_view kDefaultTag = "latest";
/// Bytes of one part of a name; of the whole, what these allow together.
inline constexpr size_t kMaxHostBytes = 128, kMaxPartBytes = 96;

/// host/namespace/model:tag. Each part is 1 to kMaxPartBytes of letters, digits, '_', '-' and '.', and begins with a
/// letter, a digit or '_'; a host may also have ':' and a port. So no part is "..", empty, hidden or has a slash.
/// Immutable; the only way to have one is parse().
class ModelName {
 public:
  /// `model[:tag]`, `namespace/model[:tag]`, `host/namespace/model[:tag]`, and `hf:user/repo[:tag]`, which is
  /// `hf.co/user/repo[:tag]`. What is left out is registry.ollama.ai, library and latest. Errc::argument says which
  /// part is at fault and why.
  static Result<ModelName> parse(std::string_view text);

  const std::string& host() const { return host_; }
  const std::string& owner() const { return owner_; }  ///< The namespace.
  const std::string& model() const { return model_; }
  const std::string& tag() const { return tag_; }
  /// Whether the host is the Hugging Face Hub: hf.co or huggingface.co.
  bool on_hub() const;

  /// "registry.ollama.ai/library/llama3.2:latest".
  std::string full() const;
  /// As people write it, with the tag: "llama3.2:latest", "user/model:8b", "hf.co/user/repo:Q4_K_M". parse() reads it.
  std::string text() const;
  /// host/namespace/model/tag, relative to the folder of manifests.
  std::filesystem::path relative_path() const;

  auto operator<=>(const ModelName&) const = default;

 private:
  ModelName() = default;
  std::string host_, owner_, model_, tag_;
};

/// What a user typed to mean a model of the store or one to be downloaded: a name, or the address of a GGUF file.
struct Reference {
  ModelName name;   ///< Under which the model is stored.
  std::string url;  ///< http(s) address of a .gguf file; empty for a name.

  /// A name as ModelName::parse takes it, or a URL. A URL's model is named after its host, folder and file:
  /// https://example.com/files/tiny-Q4_K_M.gguf is example.com/files/tiny-Q4_K_M:latest.
  static Result<Reference> parse(std::string_view text);
};

}  // namespace quern::store
