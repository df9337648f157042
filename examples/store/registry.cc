// Pulling from Ollama's registry. The protocol is that of Docker's registry, version 2
// (https://distribution.github.io/distribution/spec/api/):
//   GET /v2/<namespace>/<name>/manifests/<tag>     a manifest of version 2, schema 2
//   GET /v2/<namespace>/<name>/blobs/<digest>      a blob, mostly by a redirect to another host
// A 401 with WWW-Authenticate: Bearer names where a token for the scope is to be had; public models get one without an
// account.
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "examples/store/pull.h"
#include "examples/store/text.h"
#include "examples/store/try.h"

namespace quern::store {
namespace {

constexpr size_t kMaxTokenBytes = size_t{64} << 10;
constexpr size_t kDigitsShown = 12;

std::string without_slash(std::string url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url;
}

std::string base_of(const Session& session, const ModelName& name) {
  if (name.host() != kDefaultHost) {
    const std::string plain = "http://" + name.host();
    return is_loopback(plain) ? plain : "https://" + name.host();
  }
  if (!session.options().registry.empty()) return without_slash(session.options().registry);
  const char* chosen = std::getenv("QUERN_REGISTRY");
  if (chosen != nullptr && *chosen != '\0') return without_slash(chosen);
  return "https://" + std::string(kDefaultHost);
}

/// A token for this challenge. It is asked for without any secret of ours.
Result<std::string> token_for(Session& session, const Challenge& challenge, const std::string& registry) {
  if (is_loopback(challenge.realm) && !is_loopback(registry)) {
    return Error{Errc::format,
                 registry + ": asks for a token from this machine (" + shown(challenge.realm) + "): refused"};
  }
  std::string url = challenge.realm;
  char separator = url.find('?') == std::string::npos ? '?' : '&';
  if (!challenge.service.empty()) {
    url += separator + ("service=" + url_escaped(challenge.service));
    separator = '&';
  }
  if (!challenge.scope.empty()) url += separator + ("scope=" + url_escaped(challenge.scope));
  HttpRequest request;
  request.url = url;
  const auto document = session.get_document(request, kMaxTokenBytes);
  if (!document)
    return Error{document.error().code == Errc::argument ? Errc::io : document.error().code, document.error().message};
  if (document->head.status / 100 != 2) {
    return status_error(document->head, document->body,
                        "no token for the registry; models that need an account cannot be pulled");
  }
  const auto json = nlohmann::json::parse(document->body, nullptr, false);
  for (const char* key : {"token", "access_token"}) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_string()) continue;
    const auto token = json[key].get<std::string>();
    const bool clean = token.find_first_of("\r\n") == std::string::npos;
    if (!token.empty() && clean) return token;
  }
  return Error{Errc::format, challenge.realm + ": the answer has no token"};
}

Error manifest_error(const Session::Document& document, const ModelName& name) {
  std::string advice;
  if (document.head.status == 404) {
    advice = "there is no model '" + name.text() +
             "'; names and tags are case-sensitive there, see https://ollama.com/library";
  } else if (document.head.status == 401 || document.head.status == 403) {
    advice = "the registry does not let '" + name.text() + "' be read without an account, or there is no such model";
  }
  return status_error(document.head, document.body, advice);
}

/// Shorter for people.
std::string label_of(const Digest& digest) { return digest.hex().substr(0, kDigitsShown); }

}  // namespace

Result<Pulled> pull_from_registry(Session& session, const ModelName& name) {
  const std::string base = base_of(session, name) + "/v2/" + name.owner() + "/" + name.model();
  HttpRequest request{base + "/manifests/" + name.tag(), {"Accept: " + std::string(kManifestType)}};
  QUERN_TRY(auto document, session.get_document(request, kMaxManifestBytes));
  if (document.head.status == 401) {
    if (const auto challenge = parse_challenge(document.head.challenge)) {
      QUERN_TRY(request.bearer, token_for(session, *challenge, base));
      QUERN_TRY(document, session.get_document(request, kMaxManifestBytes));
    }
  }
  if (document.head.status / 100 != 2) return manifest_error(document, name);
  if (const auto promised = Digest::parse(document.head.content_digest)) {
    if (digest_of(document.body) != *promised) {
      return Error{Errc::format, request.url + ": the checksum of the manifest is wrong: try again"};
    }
  }
  QUERN_TRY(const Manifest manifest, Manifest::parse(document.body, request.url));
  if (manifest.find(kModelType) == nullptr && manifest.find(kFileType) == nullptr) {
    return Error{
        Errc::unsupported,
        request.url + ": the model has no GGUF file; it is of a kind that only Ollama runs, or runs in its cloud"};
  }

  std::vector<Digest> digests;
  uint64_t missing = 0;
  for (const auto& layer : manifest.blobs()) digests.push_back(layer.digest);
  QUERN_CHECK(session.pin(digests));
  for (const auto& layer : manifest.blobs()) {
    std::error_code error;
    if (!std::filesystem::exists(session.layout().blob(layer.digest), error)) missing += layer.size;
  }
  QUERN_CHECK(check_room(session.layout(), missing));
  for (const auto& layer : manifest.blobs()) {
    BlobSource source{base + "/blobs/" + layer.digest.text(), request.bearer, layer.digest, {}, layer.size};
    source.label = label_of(layer.digest);
    source.gguf = layer.media_type == kModelType;
    QUERN_CHECK(fetch_blob(session, std::move(source)));
  }
  return Pulled{std::move(document.body)};
}

}  // namespace quern::store
