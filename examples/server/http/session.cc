#include "examples/server/http/session.h"

#include <algorithm>
#include <boost/beast/core/buffers_to_string.hpp>
#include <sstream>

#include "examples/server/http/url.h"

namespace quern::server {
namespace {

using std::chrono::milliseconds;
constexpr size_t kPipelined = 64 << 10;    // bytes of further requests that are read ahead
constexpr size_t kLingerBytes = 64 << 20;  // what a refused client may still send before it is cut off
constexpr milliseconds kLingerTime{2000};

std::string too_large(const HttpLimits& limits) {
  return "the body is too large: at most " + std::to_string(limits.max_body_bytes) +
         " bytes are taken (--max-body-size)";
}

}  // namespace

const std::string* HttpRequest::header(std::string_view name) const {
  const auto it = std::find_if(headers.begin(), headers.end(), [&](const auto& h) { return h.first == name; });
  return it == headers.end() ? nullptr : &it->second;
}

/// Posts what it is asked for to the connection's thread. Late calls, after the connection went on, do nothing.
class Session::Answer : public Exchange {
 public:
  Answer(std::shared_ptr<Session> session, HttpRequest request, uint64_t id)
      : session_(std::move(session)), request_(std::move(request)), gone_(session_->gone_), id_(id) {}
  ~Answer() override {
    if (!begun_) {
      post([](Session& s) { s.reject(500, "the request was dropped: please report this"); });
    } else if (!ended_) {
      post([](Session& s) { s.close(); });  // a torn answer must not look whole
    }
  }

  const HttpRequest& request() const override { return request_; }
  const CancelToken& gone() const override { return gone_; }
  void send(HttpResponse response) override {
    if (begun_.exchange(true)) return;
    ended_ = true;
    post([r = std::move(response)](Session& s) mutable { s.send(std::move(r), true); });
  }
  void begin(HttpResponse response) override {
    if (begun_.exchange(true)) return;
    post([r = std::move(response)](Session& s) mutable { s.send(std::move(r), false); });
  }
  void write(std::string data) override {
    if (data.empty() || ended_) return;
    post([d = std::move(data)](Session& s) mutable { s.add(std::move(d)); });
  }
  void end() override {
    if (ended_.exchange(true)) return;
    post([](Session& s) { s.finish(); });
  }

 private:
  template <class F>
  void post(F action) {
    net::post(session_->socket_.get_executor(), [session = session_, id = id_, action = std::move(action)]() mutable {
      if (session->answer_id_ == id && session->phase_ == Phase::answer) action(*session);
    });
  }

  std::shared_ptr<Session> session_;
  const HttpRequest request_;
  const CancelToken gone_;
  const uint64_t id_;
  std::atomic<bool> begun_{false}, ended_{false};
};

Session::Session(net::ip::tcp::socket socket, std::shared_ptr<SessionShared> shared)
    : shared_(std::move(shared)),
      socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      buffer_(std::max(shared_->options.limits.max_header_bytes, kPipelined)) {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->sessions.insert(this);
  }
  error_code ignored;
  socket_.set_option(net::ip::tcp::no_delay(true), ignored);
}

Session::~Session() {
  release_body();
  const std::lock_guard lock(shared_->mutex);
  shared_->sessions.erase(this);
}

void Session::release_body() {
  shared_->bodies_bytes -= body_reserved_;
  body_reserved_ = 0;
}

/// The phase must be over in this time.
void Session::arm(milliseconds time) {
  const uint64_t id = ++deadline_id_;
  timer_.expires_after(time);
  timer_.async_wait([self = weak_from_this(), id](error_code error) {
    const auto session = self.lock();
    if (!error && session && session->deadline_id_ == id) session->on_deadline();
  });
}

void Session::on_deadline() {
  const bool reading = phase_ == Phase::head || phase_ == Phase::body;
  if (reading && (phase_ == Phase::body || buffer_.size() > 0)) {
    socket_.cancel();
    return reject(408, "the request did not arrive in time");
  }
  close();
}

void Session::await_request() {
  if (shared_->stopping) return close();
  request_ = {};
  parser_.reset();
  if (buffer_.size() > 0) return read_head();
  phase_ = Phase::idle;
  arm(shared_->options.limits.idle_time);
  socket_.async_wait(net::ip::tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
    if (self->phase_ != Phase::idle) return;
    if (error) return self->close();
    self->read_head();
  });
}

void Session::read_head() {
  const HttpLimits& limits = shared_->options.limits;
  phase_ = Phase::head;
  gone_ = CancelToken();
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(limits.max_header_bytes));
  parser_->body_limit(limits.max_body_bytes);
  arm(limits.header_time);
  http::async_read_header(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, size_t) {
    if (self->phase_ == Phase::head) self->on_head(error);
  });
}

void Session::on_head(error_code error) {
  if (error) return reject_parse(error);
  const auto& head = parser_->get();
  keep_alive_ = head.keep_alive();
  without_body_ = head.method() == http::verb::head;
  chunked_ = head.version() >= 11;
  request_.method = std::string(head.method_string());
  for (const auto& field : head) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    request_.headers.emplace_back(std::move(name), std::string(field.value()));
  }
  check_head();
}

/// All that can be said before the body is read.
void Session::check_head() {
  const HttpLimits& limits = shared_->options.limits;
  const auto& head = parser_->get();
  const auto n_hosts =
      std::count_if(request_.headers.begin(), request_.headers.end(), [](const auto& h) { return h.first == "host"; });
  if (head.version() != 11 && head.version() != 10) return reject(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  if (n_hosts > 1 || (n_hosts == 0 && head.version() == 11)) return reject(400, "expected one Host header");
  if (request_.headers.size() > limits.max_headers) return reject(431, "too many headers");
  if (head.target().size() > limits.max_target_bytes) return reject(414, "the path is too long");
  auto target = parse_target({head.target().data(), head.target().size()});
  if (!target) return reject(400, "malformed path");
  request_.path = std::move(target->path);
  request_.query = std::move(target->query);
  if (request_.header("content-encoding") != nullptr) return reject(415, "compressed bodies are not read");
  if (shared_->options.check) {
    if (auto refusal = shared_->options.check(request_)) {
      phase_ = Phase::answer;
      keep_alive_ = keep_alive_ && parser_->is_done();
      return send(std::move(*refusal), true);
    }
  }
  const auto length = parser_->content_length();
  if (length && *length > limits.max_body_bytes) return reject(413, too_large(limits));
  const uint64_t reserve = length ? *length : parser_->chunked() ? limits.max_body_bytes : 0;
  if (shared_->bodies_bytes + reserve > limits.max_bodies_bytes)
    return reject(503, "too many large requests: come again later");
  body_reserved_ = reserve;
  shared_->bodies_bytes += reserve;
  const std::string* expect = request_.header("expect");
  if (expect == nullptr || parser_->is_done()) return read_body();
  static const std::string kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  phase_ = Phase::body;
  arm(limits.body_time);
  net::async_write(socket_, net::buffer(kContinue), [self = shared_from_this()](error_code error, size_t) {
    if (self->phase_ != Phase::body) return;
    if (error) return self->close();
    self->read_body();
  });
}

void Session::read_body() {
  phase_ = Phase::body;
  arm(shared_->options.limits.body_time);
  http::async_read(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, size_t) {
    if (self->phase_ == Phase::body) self->on_body(error);
  });
}

void Session::on_body(error_code error) {
  if (error) return reject_parse(error);
  request_.body = std::move(parser_->get().body());
  const uint64_t size = request_.body.size();
  if (size < body_reserved_) {
    shared_->bodies_bytes -= body_reserved_ - size;
    body_reserved_ = size;
  }
  hand_on();
}

void Session::hand_on() {
  phase_ = Phase::answer;
  ++deadline_id_;  // the time that an answer takes is not limited
  timer_.cancel();
  auto answer = std::make_shared<Answer>(shared_from_this(), std::move(request_), answer_id_);
  request_ = {};
  watch();
  shared_->options.handle(std::move(answer));
}

/// The client sends no more. Most have gone; work for them stops, and what there is of an answer is sent all the same.
void Session::half_closed() {
  keep_alive_ = false;
  gone_.cancel();
}

/// Reads on while an answer is in progress: to notice that the client has gone.
void Session::watch() {
  if (watching_ || buffer_.size() >= kPipelined) return;
  watching_ = true;
  socket_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](error_code error, size_t n) {
    self->watching_ = false;
    if (self->phase_ == Phase::closing) return;
    if (error == net::error::eof && self->phase_ == Phase::answer) return self->half_closed();
    if (error && error != net::error::operation_aborted) return self->close();
    self->buffer_.commit(n);
    if (self->phase_ == Phase::idle) return self->read_head();
    if (!error) self->watch();
  });
}

void Session::reject_parse(error_code error) {
  if (error == http::error::body_limit) return reject(413, too_large(shared_->options.limits));
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return reject(431, "the headers are too large");
  if (error == http::error::bad_version) return reject(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  const bool malformed = error.category() == http::make_error_code(http::error::bad_method).category();
  if (!malformed || error == http::error::end_of_stream || error == http::error::partial_message) return close();
  reject(400, "malformed request: " + error.message());
}

/// An answer of the connection itself, which then closes: where the next request would begin is not certain.
void Session::reject(unsigned status, const std::string& message) {
  phase_ = Phase::answer;
  keep_alive_ = false;
  std::string path = request_.path;
  if (path.empty() && parser_) {  // refused by what stands behind the request line
    const auto target = parser_->get().target();
    if (auto parsed = parse_target({target.data(), target.size()})) path = std::move(parsed->path);
  }
  HttpResponse response = shared_->options.error(status, message, path);
  send(std::move(response), true);
}

void Session::refuse() {
  chunked_ = true;
  HttpResponse response = shared_->options.error(503, "too many connections: come again later", {});
  response.headers.emplace_back("Retry-After", "5");
  phase_ = Phase::answer;
  keep_alive_ = false;
  send(std::move(response), true);
}

std::string Session::head_text(const HttpResponse& response, bool whole) const {
  http::response<http::empty_body> head(http::int_to_status(response.status), 11);
  head.result(response.status);
  head.set(http::field::server, "quern");
  if (!response.content_type.empty()) head.set(http::field::content_type, response.content_type);
  for (const auto& [name, value] : response.headers) head.insert(name, value);
  head.keep_alive(keep_alive_);
  if (whole) {
    if (response.status != 204) head.content_length(response.body.size());
  } else if (chunked_) {
    head.chunked(true);
  }
  std::ostringstream text;
  text << head.base();
  return text.str();
}

void Session::send(HttpResponse response, bool whole) {
  if (began_) return;
  began_ = true;
  in_pieces_ = !whole;
  if (shared_->stopping || (!whole && !chunked_)) keep_alive_ = false;  // HTTP/1.0 knows no pieces
  std::string text = head_text(response, whole);
  if (whole && !without_body_) text += response.body;
  out_.push_back(std::move(text));
  unsent_ += out_.back().size();
  if (whole) {
    finish();
  } else {
    add(std::move(response.body));
    write_next();
  }
}

void Session::add(std::string data) {
  if (!began_ || ended_ || data.empty() || without_body_) return;
  if (chunked_) data = boost::beast::buffers_to_string(http::make_chunk(net::buffer(data)));
  unsent_ += data.size();
  if (unsent_ > shared_->options.limits.max_unsent_bytes) return close();
  out_.push_back(std::move(data));
  write_next();
}

void Session::finish() {
  if (ended_) return;
  ended_ = true;
  if (in_pieces_ && chunked_ && !without_body_)
    out_.push_back(boost::beast::buffers_to_string(http::make_chunk_last()));
  write_next();
}

void Session::write_next() {
  if (writing_ || phase_ != Phase::answer) return;
  if (out_.empty()) {
    if (ended_) answered();
    return;
  }
  writing_ = true;
  arm(shared_->options.limits.write_time);
  net::async_write(socket_, net::buffer(out_.front()), [self = shared_from_this()](error_code error, size_t) {
    self->writing_ = false;
    if (self->phase_ != Phase::answer) return;
    if (error) return self->close();
    ++self->deadline_id_;
    self->unsent_ -= std::min(self->unsent_, self->out_.front().size());
    self->out_.pop_front();
    self->write_next();
  });
}

void Session::answered() {
  ++answer_id_;
  began_ = ended_ = false;
  unsent_ = 0;
  release_body();
  if (!keep_alive_ || shared_->stopping) return linger();
  if (!watching_) return await_request();
  // The read that watches becomes the one that waits for the next request.
  phase_ = Phase::idle;
  request_ = {};
  parser_.reset();
  arm(shared_->options.limits.idle_time);
  if (buffer_.size() > 0) socket_.cancel();
}

/// Closes in a way that lets the client read the answer although it may still be sending (RFC 9112, 9.6).
void Session::linger() {
  phase_ = Phase::closing;
  error_code ignored;
  socket_.shutdown(net::ip::tcp::socket::shutdown_send, ignored);
  arm(kLingerTime);
  drain();
}

void Session::drain() {
  buffer_.clear();
  socket_.async_read_some(buffer_.prepare(16 << 10), [self = shared_from_this()](error_code error, size_t n) {
    self->drained_ += n;
    if (error || self->drained_ > kLingerBytes) return self->close();
    self->drain();
  });
}

void Session::wind_down() {
  if (phase_ == Phase::idle || phase_ == Phase::head) close();
}

void Session::abandon() { close(); }

void Session::close() {
  phase_ = Phase::closing;
  ++answer_id_;
  ++deadline_id_;
  gone_.cancel();
  error_code ignored;
  timer_.cancel();
  socket_.close(ignored);
}

}  // namespace quern::server
