// The part of a download that is not the bytes: telling how far it is, waiting, trying again.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "examples/store/download.h"
#include "examples/store/text.h"
#include "examples/store/try.h"

namespace quern::store {
namespace {

constexpr uint32_t kMaxDelayMs = 30'000, kMaxServerDelayMs = 60'000;
/// Where nothing has answered at all, it is the machine that has no network: that is told soon.
constexpr uint32_t kAttemptsUnreachable = 2;

Error cancelled() {
  return {Errc::cancelled, "cancelled; what was downloaded is kept, and the next pull goes on from there"};
}

/// The message in an error document of a registry or of the Hub, or its start if it is short plain text.
std::string message_in(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (json.is_object()) {
    const auto error = json.find("error");
    if (error != json.end() && error->is_string()) return error->get<std::string>();
    const auto errors = json.find("errors");
    if (errors != json.end() && errors->is_array() && !errors->empty() && (*errors)[0].is_object()) {
      const auto message = (*errors)[0].find("message");
      if (message != (*errors)[0].end() && message->is_string()) return message->get<std::string>();
    }
    return {};
  }
  const bool plain = body.size() < 200 && body.find('<') == std::string::npos;
  return plain ? std::string(trim(body)) : std::string();
}

const char* status_words(long status) {
  switch (status) {
    case 400:
      return " Bad Request";
    case 401:
      return " Unauthorized";
    case 403:
      return " Forbidden";
    case 404:
      return " Not Found";
    case 408:
      return " Request Timeout";
    case 410:
      return " Gone";
    case 416:
      return " Range Not Satisfiable";
    case 429:
      return " Too Many Requests";
    case 500:
      return " Internal Server Error";
    case 502:
      return " Bad Gateway";
    case 503:
      return " Service Unavailable";
    case 504:
      return " Gateway Timeout";
    default:
      return "";
  }
}

}  // namespace

bool is_busy_status(long status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

Error status_error(const HttpHead& head, const std::string& body, const std::string& advice) {
  const std::string url = head.url.substr(0, head.url.find('?'));
  std::string text = url + ": the server answered " + std::to_string(head.status) + status_words(head.status);
  const std::string said = shown(message_in(body), 200);
  if (!said.empty()) text += " (" + said + ")";
  if (!advice.empty()) text += ": " + advice;
  const bool absent = head.status == 404 || head.status == 410 || head.status == 401 || head.status == 403;
  return {absent ? Errc::not_found : Errc::io, text};
}

Session::Session(Layout layout, const PullOptions& options)
    : layout_(std::move(layout)),
      options_(options),
      http_(HttpOptions{options.allow_http, options.stall_seconds, options.cancel,
                        [this] { return say(last_).has_value(); }}) {}

Status Session::say(TransferProgress progress) {
  last_ = std::move(progress);
  last_said_ = std::chrono::steady_clock::now();
  if (options_.cancel.cancelled()) return cancelled();
  if (options_.progress && !options_.progress(last_)) return cancelled();
  return {};
}

Status Session::say_sometimes(TransferProgress progress) {
  if (std::chrono::steady_clock::now() - last_said_ >= std::chrono::milliseconds(100)) return say(std::move(progress));
  last_ = std::move(progress);
  return {};
}

Status Session::pin(const std::vector<Digest>& digests) {
  QUERN_TRY(Pin pin, Pin::create(layout_, digests));
  pin_.emplace(std::move(pin));
  return {};
}

Status Session::wait(uint32_t milliseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  while (std::chrono::steady_clock::now() < end) {
    if (options_.cancel.cancelled()) return cancelled();
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min<uint32_t>(milliseconds, 50)));
  }
  return {};
}

Status Session::before_retry(const HttpResult& result, bool progressed) {
  if (result.error.code == Errc::cancelled) return cancelled();
  const bool answered = result.trouble == Trouble::none;
  if (result.trouble == Trouble::fatal) return result.error;
  connected_ = connected_ || answered || result.trouble == Trouble::transient;
  if (progressed) failures_ = 0;
  ++failures_;
  const Error error =
      answered ? status_error(result.head, result.body, "the server is busy or broken: try again later") : result.error;
  const uint32_t patience = connected_ ? options_.attempts : std::min(options_.attempts, kAttemptsUnreachable);
  if (failures_ >= patience) return error;
  uint64_t delay = static_cast<uint64_t>(options_.first_delay_ms) << std::min<uint32_t>(failures_ - 1, 16);
  delay = std::min<uint64_t>(delay, kMaxDelayMs);
  if (answered && result.head.retry_after_s) {
    delay = std::min<uint64_t>(uint64_t{1000} * *result.head.retry_after_s, kMaxServerDelayMs);
  }
  TransferProgress progress = last_;
  progress.status = "retrying in " + std::to_string((delay + 999) / 1000) + " s: " + error.message;
  QUERN_CHECK(say(std::move(progress)));
  return wait(static_cast<uint32_t>(delay));
}

Result<Session::Document> Session::get_document(const HttpRequest& base, size_t limit) {
  while (true) {
    std::string body;
    HttpRequest request = base;
    request.on_data = [&](const char* data, size_t size) -> Status {
      if (size > limit - body.size()) {
        return Error{Errc::format,
                     base.url + ": more than the " + std::to_string(limit) + " bytes that are expected at most"};
      }
      body.append(data, size);
      return {};
    };
    HttpResult result = http_.get(request);
    const bool good = result.trouble == Trouble::none && !is_busy_status(result.head.status);
    if (good) {
      connected_ = true;
      failures_ = 0;
      const bool is_2xx = result.head.status >= 200 && result.head.status < 300;
      return Document{std::move(result.head), is_2xx ? std::move(body) : std::move(result.body)};
    }
    QUERN_CHECK(before_retry(result, false));
  }
}

}  // namespace quern::store
