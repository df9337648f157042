#include "examples/cli/server_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "examples/cli/report.h"
#include "examples/store/name.h"

namespace quern::cli {
namespace {

using Json = ServerClient::Json;

constexpr long kConnectMs = 5000;
constexpr long kProbeMs = 100;  // nobody waits longer to hear that there is no server
constexpr size_t kMaxAnswer = 64 << 20;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// What one transfer needs in curl's callbacks.
struct Transfer {
  CURL* curl = nullptr;
  const std::function<bool(std::string_view)>* on_data = nullptr;
  const CancelToken* cancel = nullptr;
  std::string error_body{};
  bool stopped = false;
};

size_t write(char* data, size_t size, size_t n, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  long status = 0;
  curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
  const std::string_view piece(data, size * n);
  if (status >= 400) {
    if (transfer.error_body.size() < kMaxAnswer) transfer.error_body += piece;
    return size * n;
  }
  if ((*transfer.on_data)(piece)) return size * n;
  transfer.stopped = true;
  return 0;
}

int progressed(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  if (transfer.cancel == nullptr || !transfer.cancel->cancelled()) return 0;
  transfer.stopped = true;
  return 1;
}

/// A field of an answer, whatever the server made of it: no exception may pass through curl.
std::string text_of(const Json& json, const char* name) {
  if (!json.is_object()) return {};
  const auto it = json.find(name);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}
double number_of(const Json& json, const char* name) {
  if (!json.is_object()) return 0;
  const auto it = json.find(name);
  return it != json.end() && it->is_number() ? it->get<double>() : 0;
}

/// The message in {"error": "..."} or {"error": {"message": "..."}}.
std::string error_text(const Json& json) {
  if (!json.is_object() || !json.contains("error")) return {};
  const Json& error = json["error"];
  if (error.is_string()) return error.get<std::string>();
  return text_of(error, "message");
}

StopReason stop_reason(const std::string& name) {
  return name == "length" ? StopReason::length : StopReason::end_of_generation;
}

void read_timings(const Json& json, GenerateTimings& out) {
  const auto count = [&json](const char* name) {
    return static_cast<uint32_t>(std::clamp(number_of(json, name), 0.0, 4e9));
  };
  out.n_prompt = count("prompt_n");
  out.n_cached = count("cache_n");
  out.n_generated = count("predicted_n");
  out.prompt_seconds = number_of(json, "prompt_ms") / 1000;
  out.generate_seconds = number_of(json, "predicted_ms") / 1000;
}

/// Server-sent events, whatever pieces they come in.
class Events {
 public:
  explicit Events(const GenerateOptions& options) : options_(options) {}

  bool take(std::string_view data) {
    buffer_ += data;
    size_t end = 0;
    while ((end = buffer_.find('\n')) != std::string::npos) {
      const std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      if (line.rfind("data: {", 0) == 0 && !event(Json::parse(line.substr(6), nullptr, false))) return false;
      if (line == "data: [DONE]") done_ = true;
    }
    return buffer_.size() < kMaxAnswer;
  }

  bool done() const { return done_; }
  const std::string& error() const { return error_; }
  Generation& generation() { return generation_; }

 private:
  bool event(const Json& json) {
    error_ = error_text(json);
    if (!error_.empty() || !json.is_object()) return false;
    if (json.contains("timings")) read_timings(json["timings"], generation_.timings);
    if (!json.contains("choices") || !json["choices"].is_array() || json["choices"].empty()) return true;
    const Json& choice = json["choices"][0];
    if (const std::string reason = text_of(choice, "finish_reason"); !reason.empty())
      generation_.stop_reason = stop_reason(reason);
    const bool is_chat = choice.is_object() && choice.contains("delta");
    const std::string text = is_chat ? text_of(choice["delta"], "content") : text_of(choice, "text");
    if (text.empty()) return true;
    generation_.text += text;
    return !options_.on_token || options_.on_token({-1, text});
  }

  const GenerateOptions& options_;
  std::string buffer_, error_;
  Generation generation_;
  bool done_ = false;
};

}  // namespace

std::string server_url(std::string_view host) {
  std::string text(host);
  std::string scheme = "http://";
  bool has_scheme = false;
  for (const char* known : {"http://", "https://"}) {
    if (text.rfind(known, 0) != 0) continue;
    scheme = known;
    has_scheme = true;
    text.erase(0, scheme.size());
  }
  while (!text.empty() && text.back() == '/') text.pop_back();
  if (text.empty() || text[0] == ':') text = "127.0.0.1" + text;
  // What a server listens at is where nobody can be reached.
  if (text == "0.0.0.0" || text.rfind("0.0.0.0:", 0) == 0) text.replace(0, 7, "127.0.0.1");
  const size_t bracket = text.rfind(']');
  const size_t from = bracket == std::string::npos ? 0 : bracket;
  if (!has_scheme && text.find(':', from) == std::string::npos) text += ":11434";
  return scheme + text;
}

ServerClient::ServerClient(const std::string& host) {
  std::string where = host;
  for (const char* name : {"QUERN_HOST", "OLLAMA_HOST"}) {
    if (where.empty()) where = environment(name);
  }
  url_ = server_url(where);
}

ServerClient::Outcome ServerClient::request(const std::string& path, const std::string* body, long connect_ms,
                                            const OnData& on_data, const CancelToken* cancel) const {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  Transfer transfer{curl.get(), &on_data, cancel};
  curl_slist* list = curl_slist_append(nullptr, "Content-Type: application/json");
  const std::string key = environment("QUERN_API_KEY");
  if (!key.empty()) list = curl_slist_append(list, ("Authorization: Bearer " + key).c_str());
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(list, curl_slist_free_all);
  char message[CURL_ERROR_SIZE] = "";
  const std::string url = url_ + path;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
  // A server that is there but slow to say what it has counts as none; an answer may take as long as it takes.
  if (connect_ms == kProbeMs) curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, 10 * kProbeMs);
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, write);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, progressed);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &transfer);
  if (body != nullptr) {
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body->c_str());
  }
  const CURLcode code = curl_easy_perform(curl.get());
  Outcome out;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &out.status);
  out.stopped = transfer.stopped;
  if (code != CURLE_OK && !out.stopped) out.error = message[0] != '\0' ? message : curl_easy_strerror(code);
  if (out.status >= 400) out.error = error_text(Json::parse(transfer.error_body, nullptr, false));
  if (out.status >= 400 && out.error.empty()) out.error = "HTTP status " + std::to_string(out.status);
  return out;
}

Result<Json> ServerClient::ask(const std::string& path, const std::string* body, long connect_ms) const {
  std::string text;
  const auto collect = [&text](std::string_view piece) {
    text += piece;
    return text.size() < kMaxAnswer;
  };
  const Outcome outcome = request(path, body, connect_ms, collect, nullptr);
  if (outcome.status == 0)
    return Error{Errc::io, "no server answers at " + url_ + " (" + outcome.error + "): start one with `quern serve`"};
  if (outcome.status == 404) return Error{Errc::not_found, outcome.error};
  if (!outcome.error.empty() || outcome.stopped) return Error{Errc::io, url_ + ": " + outcome.error};
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) return Error{Errc::format, url_ + path + ": the answer is not JSON"};
  return json;
}

Result<Json> ServerClient::get(const std::string& path) const { return ask(path, nullptr, kConnectMs); }

Result<Json> ServerClient::post(const std::string& path, const Json& body) const {
  const std::string text = dump(body);
  return ask(path, &text, kConnectMs);
}

std::optional<std::string> ServerClient::find_model(const std::string& name) const {
  const auto tags = ask("/api/tags", nullptr, kProbeMs);
  if (!tags || !tags->is_object() || !tags->contains("models") || !(*tags)["models"].is_array()) return std::nullopt;
  for (const Json& model : (*tags)["models"]) {
    const std::string own = text_of(model, "name");
    // Names of the store have several spellings: hf:user/repo is hf.co/user/repo:latest.
    const auto spelt = store::ModelName::parse(name), there = store::ModelName::parse(own);
    if (!own.empty() && (own == name || (spelt && there && *spelt == *there))) return own;
  }
  return std::nullopt;
}

Result<Generation> ServerClient::generate(const std::string& path, Json body, const GenerateOptions& options) const {
  body["stream"] = true;
  const std::string text = dump(body);
  Events events(options);
  const auto take = [&events](std::string_view data) { return events.take(data); };
  const Outcome outcome = request(path, &text, kConnectMs, take, &options.cancel);
  if (outcome.status >= 400 || (!outcome.error.empty() && !events.done())) {
    const bool full = outcome.status == 400 && outcome.error.find("context") != std::string::npos;
    return Error{full ? Errc::context_full : Errc::io, url_ + ": " + outcome.error};
  }
  if (!events.error().empty()) return Error{Errc::io, url_ + ": " + events.error()};
  if (!events.done() && !outcome.stopped) return Error{Errc::io, url_ + ": the answer ended in the middle"};
  if (outcome.stopped) events.generation().stop_reason = StopReason::cancelled;
  return std::move(events.generation());
}

}  // namespace quern::cli
