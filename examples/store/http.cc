#include "examples/store/http.h"

#include <curl/curl.h>
#include <quern/version.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <memory>

#include "examples/store/text.h"

namespace quern::store {
namespace {

constexpr int kMaxRedirects = 10;
constexpr long kConnectSeconds = 20;
constexpr size_t kMaxErrorBody = size_t{64} << 10, kMaxHeadBytes = size_t{256} << 10;

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void take_field(HttpHead& head, std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = lower(line.substr(0, colon));
  const std::string value(trim(line.substr(colon + 1)));
  if (name == "etag") head.etag = value;
  if (name == "content-range") head.content_range = value;
  if (name == "link") head.link = value;
  if (name == "location") head.location = value;
  if (name == "www-authenticate" && head.challenge.empty()) head.challenge = value;
  if (name == "docker-content-digest") head.content_digest = value;
  if (name == "content-length") head.content_length = number(value);
  if (name == "x-linked-etag") head.linked_etag = value;
  if (name == "x-linked-size") head.linked_size = number(value);
  if (name == "retry-after") {
    const auto seconds = number(value);
    if (seconds && *seconds < 86'400) head.retry_after_s = static_cast<uint32_t>(*seconds);
  }
}

Trouble trouble_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return Trouble::unreachable;
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
      return Trouble::transient;
    default:
      return Trouble::fatal;
  }
}

HttpResult failed(Trouble trouble, Errc code, const std::string& message) {
  HttpResult out;
  out.trouble = trouble;
  out.error = {code, message};
  return out;
}

/// The address that a Location leads to, which may be relative to where it was found. Empty if it is none.
std::string joined(const std::string& base, const std::string& location) {
  CURLU* const url = curl_url();
  std::string out;
  char* text = nullptr;
  if (url != nullptr && curl_url_set(url, CURLUPART_URL, base.c_str(), 0) == CURLUE_OK &&
      curl_url_set(url, CURLUPART_URL, location.c_str(), 0) == CURLUE_OK &&
      curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK) {
    out = text;
    curl_free(text);
  }
  curl_url_cleanup(url);
  return out;
}

/// An address for messages: without what may be a secret, the query of a signed URL.
std::string told(const std::string& url) {
  const size_t query = url.find('?');
  return query == std::string::npos ? url : url.substr(0, query) + "?...";
}

bool starts_with(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

}  // namespace

/// One request under way: what libcurl's callbacks know.
struct HttpClient::Transfer {
  HttpClient* client = nullptr;
  const HttpRequest* request = nullptr;
  HttpResult result{};
  size_t head_bytes = 0;
  bool begun = false, cancelled = false;
  Error own{Errc::ok, {}};  ///< Of on_head or on_data.
  std::chrono::steady_clock::time_point last_tick{};

  bool is_final_body() const { return result.head.status >= 200 && result.head.status < 300; }

  bool begin() {
    if (begun) return true;
    begun = true;
    if (!request->on_head) return true;
    if (Status status = request->on_head(result.head); !status) {
      own = status.error();
      return false;
    }
    return true;
  }

  static size_t on_header(char* data, size_t size, size_t n, void* user) {
    auto& self = *static_cast<Transfer*>(user);
    const std::string_view line(data, size * n);
    self.head_bytes += line.size();
    if (self.head_bytes > kMaxHeadBytes) {
      self.own = {Errc::format, told(self.result.head.url) + ": more than 256 KiB of header fields"};
      return 0;
    }
    if (starts_with(line, "HTTP/")) {  // a new answer: after an interim one (1xx), or a proxy's
      HttpHead fresh;
      fresh.url = self.result.head.url;
      const size_t blank = line.find(' ');
      const auto status = blank == std::string_view::npos ? std::nullopt : number(line.substr(blank + 1, 3));
      fresh.status = status ? static_cast<long>(*status) : 0;
      self.result.head = fresh;
    } else {
      take_field(self.result.head, line);
    }
    return size * n;
  }

  static size_t on_body(char* data, size_t size, size_t n, void* user) {
    auto& self = *static_cast<Transfer*>(user);
    const size_t bytes = size * n;
    if (!self.is_final_body()) {
      if (self.result.body.size() < kMaxErrorBody) {
        self.result.body.append(data, std::min(bytes, kMaxErrorBody - self.result.body.size()));
      }
      return bytes;
    }
    if (!self.begin()) return 0;
    if (self.request->on_data) {
      if (Status status = self.request->on_data(data, bytes); !status) {
        self.own = status.error();
        return 0;
      }
    }
    return bytes;
  }

  static int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& self = *static_cast<Transfer*>(user);
    const auto& options = self.client->options_;
    if (options.cancel.cancelled()) self.cancelled = true;
    const auto now = std::chrono::steady_clock::now();
    if (!self.cancelled && options.tick && now - self.last_tick >= std::chrono::milliseconds(200)) {
      self.last_tick = now;
      if (!options.tick()) self.cancelled = true;
    }
    return self.cancelled ? 1 : 0;
  }
};

HttpClient::HttpClient(HttpOptions options) : options_(std::move(options)) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);  // once, whichever thread comes first
  if (started == CURLE_OK) curl_ = curl_easy_init();
}

HttpClient::~HttpClient() {
  if (curl_ != nullptr) curl_easy_cleanup(static_cast<CURL*>(curl_));
}

HttpResult HttpClient::once(const HttpRequest& request, const std::string& url, bool with_bearer, HttpHead& linked) {
  CURL* const curl = static_cast<CURL*>(curl_);
  curl_easy_reset(curl);
  Transfer transfer;
  transfer.client = this;
  transfer.request = &request;
  transfer.result.head.url = url;
  curl_slist* raw = nullptr;
  for (const auto& header : request.headers) raw = curl_slist_append(raw, header.c_str());
  if (with_bearer) raw = curl_slist_append(raw, ("Authorization: Bearer " + request.bearer).c_str());
  const std::unique_ptr<curl_slist, ListDeleter> headers(raw);
  char reason[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "quern/" QUERN_VERSION_STRING);
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (const char* file = std::getenv("SSL_CERT_FILE"); file != nullptr && *file != '\0') {
    curl_easy_setopt(curl, CURLOPT_CAINFO, file);
  }
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.stall_seconds));
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  const CURLcode code = curl_easy_perform(curl);

  HttpResult& result = transfer.result;
  if (!result.head.linked_etag.empty()) linked = result.head;
  if (transfer.cancelled) return failed(Trouble::fatal, Errc::cancelled, "cancelled");
  if (transfer.own.code != Errc::ok) return failed(Trouble::fatal, transfer.own.code, transfer.own.message);
  if (code != CURLE_OK) {
    std::string why = *reason != '\0' ? reason : curl_easy_strerror(code);
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
      why +=
          " (the server's certificate is not one that this machine trusts; SSL_CERT_FILE names a file of authorities)";
    }
    HttpResult out = failed(trouble_of(code), Errc::io, told(url) + ": " + why);
    out.head = result.head;
    return out;
  }
  if (transfer.is_final_body() && !transfer.begin()) {  // an empty body
    return failed(Trouble::fatal, transfer.own.code, transfer.own.message);
  }
  return std::move(result);
}

HttpResult HttpClient::get(const HttpRequest& request) {
  if (curl_ == nullptr) return failed(Trouble::fatal, Errc::internal, "libcurl could not be started");
  const std::string origin = origin_of(request.url);
  std::string url = request.url;
  HttpHead linked;
  for (int hop = 0; hop <= kMaxRedirects; ++hop) {
    const std::string here = origin_of(url);
    const Errc at_fault = hop == 0 ? Errc::argument : Errc::io;  // the caller, or who has redirected
    if (here.empty()) return failed(Trouble::fatal, at_fault, told(url) + ": not an http(s) address");
    const bool plain = starts_with(here, "http:");
    if (plain && !is_loopback(url) && !options_.allow_http) {
      return failed(Trouble::fatal, at_fault,
                    told(url) +
                        ": http is not encrypted, so anybody on the way can change what comes; use https, or "
                        "allow it with --allow-http");
    }
    const bool with_bearer = !request.bearer.empty() && here == origin && (!plain || is_loopback(url));
    HttpResult result = once(request, url, with_bearer, linked);
    if (result.trouble != Trouble::none) return result;
    if (!is_redirect(result.head.status) || result.head.location.empty()) {
      if (!linked.linked_etag.empty()) {
        result.head.linked_etag = linked.linked_etag;
        result.head.linked_size = linked.linked_size;
      }
      return result;
    }
    const std::string next = joined(url, result.head.location);
    if (next.empty()) {
      return failed(Trouble::fatal, Errc::format,
                    told(url) + ": redirected to no address: " + shown(result.head.location));
    }
    if (!plain && starts_with(origin_of(next), "http:")) {
      return failed(Trouble::fatal, Errc::io, told(url) + ": redirected from https to http, which is not followed");
    }
    url = next;
  }
  return failed(Trouble::fatal, Errc::io, told(request.url) + ": more than ten redirects");
}

}  // namespace quern::store
