// A running server (`quern serve`, or one that speaks Ollama's interface), as the commands use it.
#pragma once

#include <quern/generate.h>
#include <quern/result.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace quern::cli {

class ServerClient {
 public:
  using Json = nlohmann::ordered_json;

  /// `host`: "name", "name:port" or "http://name:port"; empty: QUERN_HOST, else OLLAMA_HOST, else 127.0.0.1:11434. The
  /// key is QUERN_API_KEY's.
  explicit ServerClient(const std::string& host = {});
  const std::string& url() const { return url_; }

  /// Errc::io if nothing answers, with what to do; the server's own message for an answer that is an error.
  Result<Json> get(const std::string& path) const;
  Result<Json> post(const std::string& path, const Json& body) const;

  /// The server's name for a model, if there is a server (asked for a tenth of a second) and it has the model.
  std::optional<std::string> find_model(const std::string& name) const;

  /// An answer of /v1/chat/completions or /v1/completions, as it comes: calls options.on_token (whose tokens are -1),
  /// and ends early as options.cancel and on_token say. Of Generation, the tokens are missing.
  Result<Generation> generate(const std::string& path, Json body, const GenerateOptions& options) const;

 private:
  /// Empty for success; `on_data` gets the body of an answer that is none of an error's.
  struct Outcome {
    long status = 0;
    std::string error{};
    bool stopped = false;
  };
  using OnData = std::function<bool(std::string_view)>;
  Outcome request(const std::string& path, const std::string* body, long connect_ms, const OnData& on_data,
                  const CancelToken* cancel) const;
  Result<Json> ask(const std::string& path, const std::string* body, long connect_ms) const;

  std::string url_;
};

/// "http://127.0.0.1:11434" of "", "0.0.0.0", ":11434", "http://127.0.0.1:11434/", ...
std::string server_url(std::string_view host);

}  // namespace quern::cli
