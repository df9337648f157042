// Guard: who may ask what, decided from a request's head: host names, origins of web pages, API keys.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "examples/server/http/exchange.h"

namespace quern::server {

struct GuardOptions {
  std::vector<std::string> api_keys{};  ///< Empty: everybody may ask.
  std::vector<std::string>
      allowed_hosts{};  ///< Names, beside this machine's own, that requests may be addressed to; "*": any.
  std::vector<std::string> origins{};  ///< Of web pages that may ask, beside our own: "https://chat.example"; "*": any.
  bool on_loopback = true;             ///< Then a request must be addressed to this machine (against DNS rebinding).
};

class Guard {
 public:
  explicit Guard(GuardOptions options);

  enum class Refusal : uint8_t { host, origin, content_type, key };
  /// What is wrong with a request; nothing: it may pass. `is_public`: no key is asked for.
  std::optional<Refusal> check(const HttpRequest& request, bool is_public) const;

  /// Which of the keys a request carries; 0 where there are none. Requests with different ones share no cache.
  uint64_t key_of(const HttpRequest& request) const;

  /// The headers that let a page of another, allowed origin read the answer; none for others.
  std::vector<std::pair<std::string, std::string>> cors_headers(const HttpRequest& request) const;
  bool needs_key() const { return !hashes_.empty(); }

 private:
  using Hash = std::array<uint8_t, 32>;
  bool host_allowed(const HttpRequest& request) const;
  bool origin_allowed(const HttpRequest& request, const std::string& origin) const;

  GuardOptions options_;
  std::vector<Hash> hashes_;
};

/// "name" of "name:port", "::1" of "[::1]:port"; in lower case, without a final dot.
std::string host_name(std::string_view host);

}  // namespace quern::server
