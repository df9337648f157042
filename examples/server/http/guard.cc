#include "examples/server/http/guard.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

namespace quern::server {
namespace {

std::array<uint8_t, 32> sha256(std::string_view text) {
  std::array<uint8_t, 32> out{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), out.data(), &size, EVP_sha256(), nullptr);
  return out;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end() ||
         std::find(list.begin(), list.end(), "*") != list.end();
}

/// The key as the ecosystem sends it: `Authorization: Bearer KEY` or `X-Api-Key: KEY`. Two of them are none.
std::optional<std::string> sent_key(const HttpRequest& request) {
  std::optional<std::string> key;
  for (const auto& [name, value] : request.headers) {
    std::string found;
    if (name == "authorization") {
      constexpr std::string_view kScheme = "bearer ";
      if (value.size() < kScheme.size()) return std::nullopt;
      for (size_t i = 0; i < kScheme.size(); ++i) {
        if ((value[i] | 0x20) != kScheme[i] && value[i] != kScheme[i]) return std::nullopt;
      }
      found = value.substr(kScheme.size());
    } else if (name == "x-api-key") {
      found = value;
    } else {
      continue;
    }
    if (key && *key != found) return std::nullopt;
    key = std::move(found);
  }
  return key;
}

}  // namespace

std::string host_name(std::string_view host) {
  if (!host.empty() && host[0] == '[') {
    host = host.substr(1, host.find(']') == std::string_view::npos ? host.size() : host.find(']') - 1);
  } else if (const size_t colon = host.rfind(':'); colon != std::string_view::npos) {
    host = host.substr(0, colon);
  }
  if (ends_with(host, ".")) host.remove_suffix(1);
  std::string out(host);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return out;
}

Guard::Guard(GuardOptions options) : options_(std::move(options)) {
  for (auto& host : options_.allowed_hosts) host = host_name(host);
  for (const auto& key : options_.api_keys) hashes_.push_back(sha256(key));
  options_.api_keys.clear();
}

bool Guard::host_allowed(const HttpRequest& request) const {
  if (!options_.on_loopback) return true;
  const std::string* host = request.header("host");
  if (host == nullptr) return true;  // HTTP/1.0; a browser sends one always
  const std::string name = host_name(*host);
  return name == "localhost" || name == "127.0.0.1" || name == "::1" || ends_with(name, ".localhost") ||
         contains(options_.allowed_hosts, name);
}

bool Guard::origin_allowed(const HttpRequest& request, const std::string& origin) const {
  if (contains(options_.origins, origin)) return true;
  const std::string* host = request.header("host");
  const size_t mark = origin.find("://");
  return host != nullptr && mark != std::string::npos && origin.substr(mark + 3) == *host;
}

std::optional<Guard::Refusal> Guard::check(const HttpRequest& request, bool is_public) const {
  if (!host_allowed(request)) return Refusal::host;
  const std::string* origin = request.header("origin");
  if (origin != nullptr) {
    if (!origin_allowed(request, *origin)) return Refusal::origin;
    // Browsers ask before they send JSON across origins, but not before they send text.
    const std::string* type = request.header("content-type");
    if (type != nullptr && type->find("json") == std::string::npos) return Refusal::content_type;
  }
  if (is_public || hashes_.empty()) return std::nullopt;
  if (key_of(request) == 0) return Refusal::key;
  return std::nullopt;
}

/// Compares digests, all of them and in constant time: how long it takes tells nothing about the keys.
uint64_t Guard::key_of(const HttpRequest& request) const {
  if (hashes_.empty()) return 0;
  const auto key = sent_key(request);
  if (!key) return 0;
  const Hash sent = sha256(*key);
  uint64_t which = 0;
  for (size_t i = 0; i < hashes_.size(); ++i) {
    const bool same = CRYPTO_memcmp(sent.data(), hashes_[i].data(), sent.size()) == 0;
    which |= same ? i + 1 : 0;
  }
  return which;
}

std::vector<std::pair<std::string, std::string>> Guard::cors_headers(const HttpRequest& request) const {
  const std::string* origin = request.header("origin");
  if (origin == nullptr || !contains(options_.origins, *origin)) return {};
  return {{"Access-Control-Allow-Origin", *origin},
          {"Access-Control-Allow-Methods", "GET, POST, DELETE, HEAD, OPTIONS"},
          {"Access-Control-Allow-Headers", "Authorization, Content-Type, X-Api-Key"},
          {"Access-Control-Max-Age", "600"},
          {"Vary", "Origin"}};
}

}  // namespace quern::server
