// Exchange: one HTTP request and its answer, as handlers see them. The connection is elsewhere.
#pragma once

#include <quern/callbacks.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quern::server {

struct HttpRequest {
  std::string method;                                        ///< "GET"
  std::string path;                                          ///< Percent-decoded, without the query; begins with '/'.
  std::map<std::string, std::string> query;                  ///< Decoded; of equal names the last.
  std::vector<std::pair<std::string, std::string>> headers;  ///< Names in lower case.
  std::string body;

  /// The value of the first header of that name (in lower case); null if there is none.
  const std::string* header(std::string_view name) const;
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
};

/// Any thread may call any method. An exchange that is dropped without an answer answers 500 by itself.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const HttpRequest& request() const = 0;

  /// The whole answer. Once; not after begin().
  virtual void send(HttpResponse response) = 0;

  /// The head of an answer whose body (response.body first) comes in pieces.
  virtual void begin(HttpResponse response) = 0;
  /// A piece. Sent as soon as may be; a client that lets more than a megabyte pile up is disconnected.
  virtual void write(std::string data) = 0;
  virtual void end() = 0;

  /// Raised when the client has gone away, or everything is to stop: pass it to what works for this exchange.
  virtual const CancelToken& gone() const = 0;
};

using ExchangePtr = std::shared_ptr<Exchange>;

}  // namespace quern::server
