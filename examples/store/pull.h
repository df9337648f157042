// Where models come from: one function per kind of source, each with the manifest that it makes or brings.
#pragma once

#include <string>

#include "examples/store/download.h"

namespace quern::store {

struct Pulled {
  std::string manifest;  ///< Its bytes, to be stored as they are.
};

/// Ollama's registry, and others of its protocol.
Result<Pulled> pull_from_registry(Session& session, const ModelName& name);
/// The Hugging Face Hub.
Result<Pulled> pull_from_hub(Session& session, const ModelName& name);
/// The address of a GGUF file.
Result<Pulled> pull_from_url(Session& session, const std::string& url);

/// The Hub's address, and the user's token for it: as the options say, else the environment.
std::string hub_endpoint(const PullOptions& options);
std::string hub_token(const PullOptions& options);

/// A text of the model as a blob, and the layer that names it.
Result<Layer> store_text(const Layout& layout, Pin* pin, std::string_view media_type, std::string_view text);

/// Adds the configuration, as a blob, and gives the manifest's bytes. Where `config` has no details, they are read from
/// the model's file; one that cannot be read as a model is an error, one of a kind that does not run here is not.
Result<Pulled> with_config(const Layout& layout, Pin* pin, Manifest manifest, Config config);

}  // namespace quern::store
