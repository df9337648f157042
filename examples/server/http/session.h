// Session: one connection: reads a request, hands it on, writes the answer, and again.
#pragma once

#include <utility>  // which Asio 1.74 needs and does not include

#include <atomic>
#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include "examples/server/http/listener.h"

namespace quern::server {

namespace net = boost::asio;
namespace http = boost::beast::http;
using boost::beast::error_code;

class Session;

/// What sessions share. Outlives the last of them, which may end on the thread of a handler.
struct SessionShared {
  explicit SessionShared(ListenOptions o) : options(std::move(o)) {}
  ListenOptions options;
  net::io_context io{1};
  std::atomic<uint64_t> bodies_bytes{0};
  bool stopping = false;  ///< connections close after the answer in progress; of the listener's thread

  std::mutex mutex;
  std::unordered_set<Session*> sessions;
};

/// Keeps itself alive while an operation of its own is pending or an exchange exists. All members are of the
/// listener's thread.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(net::ip::tcp::socket socket, std::shared_ptr<SessionShared> shared);
  ~Session();
  void start() { read_head(); }
  /// Answers 503 without reading more than there is.
  void refuse();
  /// The listener stops: an idle connection closes now, one with an answer in progress after it.
  void wind_down();
  /// Closes whatever is going on.
  void abandon();

 private:
  class Answer;  // the Exchange of this connection
  enum class Phase : uint8_t { idle, head, body, answer, closing };

  void await_request();
  void read_head();
  void on_head(error_code error);
  void check_head();
  void read_body();
  void on_body(error_code error);
  void hand_on();
  void watch();
  void half_closed();
  void reject(unsigned status, const std::string& message);
  void reject_parse(error_code error);

  // What an answer asks for.
  void send(HttpResponse response, bool whole);
  void add(std::string data);
  void finish();
  void write_next();
  void answered();

  void linger();
  void drain();
  void close();
  void arm(std::chrono::milliseconds time);
  void on_deadline();
  void release_body();
  std::string head_text(const HttpResponse& response, bool whole) const;

  std::shared_ptr<SessionShared> shared_;
  net::ip::tcp::socket socket_;
  net::steady_timer timer_;
  uint64_t deadline_id_ = 0;
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  HttpRequest request_;
  uint64_t body_reserved_ = 0;
  Phase phase_ = Phase::head;
  CancelToken gone_;
  uint64_t answer_id_ = 0;  ///< of the exchange that may write

  std::deque<std::string> out_;
  size_t unsent_ = 0;
  bool writing_ = false, ended_ = false, began_ = false, in_pieces_ = false;
  bool keep_alive_ = false, chunked_ = false, without_body_ = false;
  bool watching_ = false;
  size_t drained_ = 0;
};

}  // namespace quern::server
