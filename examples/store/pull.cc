#include "examples/store/pull.h"

#include <cstdlib>

#include "examples/store/card.h"
#include "examples/store/text.h"
#include "examples/store/try.h"

namespace quern::store {
namespace {

/// Every blob of the manifest is there, in its size.
Status check_blobs(const Layout& layout, const Manifest& manifest) {
  for (const auto& layer : manifest.blobs()) {
    std::error_code error;
    const auto size = std::filesystem::file_size(layout.blob(layer.digest), error);
    if (error || size != layer.size) {
      return Error{Errc::format, layout.blob(layer.digest).string() + ": " + (error ? "missing" : "of another size") +
                                     " after the download, expected " + std::to_string(layer.size) +
                                     " bytes; pull again"};
    }
  }
  return {};
}

}  // namespace

bool offline_by_environment() {
  const char* value = std::getenv("QUERN_OFFLINE");
  return value != nullptr && *value != '\0' && std::string_view(value) != "0";
}

Result<Layer> store_text(const Layout& layout, Pin* pin, std::string_view media_type, std::string_view text) {
  const Digest digest = digest_of(text);
  if (pin != nullptr) QUERN_CHECK(pin->add(layout, digest));
  std::error_code error;
  const auto size = std::filesystem::file_size(layout.blob(digest), error);
  if (error || size != text.size()) QUERN_CHECK(write_atomically(layout.blob(digest), text));
  return Layer{std::string(media_type), digest, text.size()};
}

Result<Pulled> with_config(const Layout& layout, Pin* pin, Manifest manifest, Config config) {
  if (config.details.format.empty()) {
    // Of several files: through a view by the manifest as it is now, which is not its last form.
    const ManifestFile draft{{}, digest_of(manifest.dump()).hex(), 0, manifest};
    QUERN_TRY(const std::string path, model_path(layout, draft));
    auto details = read_details(path);
    drop_view(layout, draft);
    if (details) {
      details->parent_model = config.details.parent_model;
      config.details = std::move(*details);
    } else if (details.error().code == Errc::unsupported) {
      config.details.format = manifest.find(kModelType) != nullptr ? "gguf" : "safetensors";
    } else {
      return details.error();
    }
  }
  QUERN_TRY(Layer layer, store_text(layout, pin, kConfigType, config.dump()));
  manifest.config = {std::move(layer)};
  return Pulled{manifest.dump()};
}

Result<Pulled> pull_from_url(Session& session, const std::string& url) {
  QUERN_CHECK(session.pin({}));
  const std::string path = url.substr(0, url.find_first_of("?#"));
  BlobSource source{url};
  // A file of the Hub by its address: with the user's token, as by its name.
  if (origin_of(url) == origin_of(hub_endpoint(session.options()))) source.bearer = hub_token(session.options());
  source.gguf = true;
  source.label = path.substr(path.rfind('/') + 1);
  QUERN_TRY(const Blob blob, fetch_blob(session, std::move(source)));
  Config config;
  config.source = path;
  Manifest manifest;
  manifest.layers.push_back({std::string(kModelType), blob.digest, blob.size});
  return with_config(session.layout(), session.pin(), std::move(manifest), std::move(config));
}

Result<StoredModel> Store::pull(const Reference& reference, const PullOptions& options) {
  const ModelName name = options.as.value_or(reference.name);
  if (options.offline || offline_by_environment()) {
    auto found = find(name);
    if (found || found.error().code != Errc::not_found) return found;
    return Error{Errc::not_found, "'" + name.text() + "' is not in the store (" + root_.string() +
                                      "), and being offline nothing is downloaded"};
  }
  const Layout layout(root_);
  QUERN_CHECK(make_folders(layout.partial()));
  Session session(layout, options);
  QUERN_CHECK(session.say({"pulling manifest", {}, 0, 0}));
  auto pulled = !reference.url.empty()    ? pull_from_url(session, reference.url)
                : reference.name.on_hub() ? pull_from_hub(session, reference.name)
                                          : pull_from_registry(session, reference.name);
  if (!pulled) {
    // What is no model is not kept. After a broken connection all is: the next pull needs it.
    const Errc code = pulled.error().code;
    if ((code == Errc::format || code == Errc::unsupported) && session.pin() != nullptr) {
      (void)collect(layout, session.pin()->release());
    }
    return pulled.error();
  }
  QUERN_CHECK(session.say({"verifying sha256 digest", {}, 0, 0}));
  QUERN_TRY(const Manifest manifest, Manifest::parse(pulled->manifest, name.text()));
  QUERN_CHECK(check_blobs(layout, manifest));
  QUERN_CHECK(session.say({"writing manifest", {}, 0, 0}));
  QUERN_CHECK(install_manifest(layout, name, pulled->manifest));
  QUERN_TRY(StoredModel model, find(name));
  // From here on it is stored: a listener that wants to stop now is too late.
  (void)session.say({"success", {}, 0, 0});
  return model;
}

}  // namespace quern::store
