// Server: models behind HTTP: OpenAI's, Ollama's and llama-server's endpoints, and a chat page.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "examples/server/hosts/hosts.h"
#include "examples/server/http/guard.h"
#include "examples/server/http/listener.h"
#include "examples/server/service.h"

namespace quern::server {

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 11434;  ///< 0: any free one
  HttpLimits limits{};
  GuardOptions guard{};
  bool without_key = false;  ///< serve others than this machine although no API key is set
  std::vector<ModelSpec> models{};
  std::optional<store::Store> store{};
  HostsOptions hosts;
  ServiceOptions service{};
  LogFn log{};
};

class Server {
 public:
  /// Binds the address. Errc::io where that fails; Errc::argument for an address that others can reach without a key.
  static Result<std::unique_ptr<Server>> create(ServerOptions options);
  ~Server();

  uint16_t port() const;
  std::string address() const;  ///< "http://127.0.0.1:11434"
  /// Loads the models named in the options; serves meanwhile.
  void preload();
  /// Serves until stop().
  void run();
  /// Any thread. Answers in progress may end for `grace`.
  void stop(std::chrono::milliseconds grace = std::chrono::seconds(10));
  Service& service();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern::server
