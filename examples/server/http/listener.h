// Listener: accepts connections and reads requests, within limits that keep a hostile client from harming others.
#pragma once

#include <quern/result.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "examples/server/http/exchange.h"

namespace quern::server {

struct HttpLimits {
  size_t max_connections = 16384;      ///< More are answered 503 at once. Also bounded by the open files allowed.
  size_t max_header_bytes = 32 << 10;  ///< Of a request line and its headers together.
  size_t max_headers = 100;
  size_t max_target_bytes = 8 << 10;  ///< Of the request's path and query.
  uint64_t max_body_bytes = 32 << 20;
  uint64_t max_bodies_bytes = 512 << 20;  ///< Of all bodies that are being read or worked on.
  size_t max_unsent_bytes = 1 << 20;      ///< Of an answer's pieces that the client does not fetch.
  std::chrono::seconds header_time{10}, body_time{60}, idle_time{75}, write_time{30};
};

/// Looks at a request before its body is read; an answer refuses it.
using HeadCheck = std::function<std::optional<HttpResponse>(const HttpRequest&)>;

struct ListenOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;  ///< 0: any free one.
  HttpLimits limits{};
  HeadCheck check{};                          ///< On the listener's thread.
  std::function<void(ExchangePtr)> handle{};  ///< On the listener's thread: must not take long.
  /// An error's answer; the path is empty where none was read.
  std::function<HttpResponse(unsigned status, const std::string& message, const std::string& path)> error{};
};

/// One thread serves all connections (Boost.Beast and Asio), so that thousands of open ones cost memory alone.
class Listener {
 public:
  /// Errc::io where the address cannot be bound.
  static Result<std::unique_ptr<Listener>> create(ListenOptions options);
  ~Listener();

  uint16_t port() const;
  bool on_loopback() const;
  /// Serves until stop().
  void run();
  /// Any thread. Accepts nothing more, lets answers in progress end for `grace`, then closes what is left.
  void stop(std::chrono::milliseconds grace);
  size_t n_connections() const;  ///< Any thread.

 private:
  struct Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern::server
