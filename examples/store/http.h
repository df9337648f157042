// HTTP as downloads need it, over libcurl: GET, redirects under our own rules, and errors that say what to do.
//
// Certificates are always verified, and nothing turns that off; SSL_CERT_FILE names other authorities than the
// system's. Plain http goes to this machine only, unless it is allowed. A redirect is followed at most ten times, never
// from https to http, and a token goes to the address that it was meant for and nowhere else: not to another host, port
// or scheme.
#pragma once

#include <quern/callbacks.h>
#include <quern/result.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern::store {

/// The header fields that matter here; empty where absent.
struct HttpHead {
  long status = 0;
  std::string url;  ///< That of this answer, after redirects.
  std::string etag, content_range, link, location, challenge, content_digest;
  std::optional<uint64_t> content_length;
  std::optional<uint32_t> retry_after_s;
  /// X-Linked-Etag and X-Linked-Size, of the first answer that had them: the Hub tells by them, before it redirects,
  /// the SHA-256 and size of the file.
  std::string linked_etag;
  std::optional<uint64_t> linked_size;
};

/// What kind of failure an error was, for those who try again.
enum class Trouble {
  none,
  fatal,        ///< trying again does not help
  transient,    ///< the connection broke, or the server was busy
  unreachable,  ///< there was no connection at all
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers{};  ///< "Name: value"
  std::string bearer{};                ///< Sent to this URL's origin alone.
  /// Called once when a 2xx answer begins; an Error ends the transfer and is returned.
  std::function<Status(const HttpHead&)> on_head{};
  std::function<Status(const char*, size_t)> on_data{};
};

struct HttpResult {
  HttpHead head;
  std::string body;  ///< Of an answer that is not 2xx: its first 64 KiB.
  Trouble trouble = Trouble::none;
  Error error{Errc::ok, {}};  ///< Unless trouble is none. An answer like 404 is no trouble.
};

struct HttpOptions {
  bool allow_http = false;
  uint32_t stall_seconds = 30;
  CancelToken cancel{};
  /// Called about twice a second while a request runs. False cancels.
  std::function<bool()> tick{};
};

/// Not thread-safe; one per operation. Keeps connections.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  HttpResult get(const HttpRequest& request);
  const HttpOptions& options() const { return options_; }

 private:
  struct Transfer;
  HttpResult once(const HttpRequest& request, const std::string& url, bool with_bearer, HttpHead& linked);
  HttpOptions options_;
  void* curl_ = nullptr;
};

/// "scheme://host:port"; empty for what is no http(s) URL.
std::string origin_of(const std::string& url);
/// Whether the URL's host is this machine: localhost, 127.*, [::1].
bool is_loopback(const std::string& url);
/// One segment or value of a URL, with everything escaped that is not a letter, a digit or one of -._~.
std::string url_escaped(std::string_view text);

/// WWW-Authenticate: Bearer realm="...",service="...",scope="..." (RFC 6750, and the token protocol of Docker's
/// registry: https://distribution.github.io/distribution/spec/auth/token/).
struct Challenge {
  std::string realm, service, scope;
};
std::optional<Challenge> parse_challenge(std::string_view header);

/// Link: <https://...>; rel="next" (RFC 8288). Empty if there is none.
std::string next_link(std::string_view header);

/// Content-Range: bytes 5-9/10 (RFC 9110, 14.4).
struct ContentRange {
  uint64_t first = 0, last = 0;
  std::optional<uint64_t> total;
};
std::optional<ContentRange> parse_content_range(std::string_view header);

}  // namespace quern::store
