#include "examples/server/http/listener.h"

#include <sys/resource.h>

#include <algorithm>

#include "examples/server/http/session.h"

namespace quern::server {
namespace {

using net::ip::tcp;
constexpr std::chrono::milliseconds kRetry{100};  // until accepting is tried again
constexpr std::chrono::milliseconds kPoll{20};    // until it is seen again whether all connections have ended
constexpr size_t kOtherFiles = 64;                // open files that are not connections

/// As many connections as the open files allow, of which the process may then have as many as it ever may.
size_t allowed_connections(size_t wanted) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return wanted;
  const rlim_t needed = std::min<rlim_t>(files.rlim_max, wanted + kOtherFiles);
  if (files.rlim_cur < needed) {
    files.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) getrlimit(RLIMIT_NOFILE, &files);
  }
  if (files.rlim_cur == RLIM_INFINITY) return wanted;
  const size_t own = std::min<size_t>(kOtherFiles, files.rlim_cur / 2);
  return std::min<size_t>(wanted, files.rlim_cur - own);
}

}  // namespace

struct Listener::Impl {
  explicit Impl(ListenOptions options)
      : shared(std::make_shared<SessionShared>(std::move(options))), acceptor(shared->io), timer(shared->io) {}

  Status open();
  void accept();
  void accepted(tcp::socket socket);
  std::vector<std::shared_ptr<Session>> sessions() const;
  void wind_down(std::chrono::steady_clock::time_point until);

  std::shared_ptr<SessionShared> shared;
  tcp::acceptor acceptor;
  net::steady_timer timer;
  size_t max_connections = 0;
};

Status Listener::Impl::open() {
  const ListenOptions& options = shared->options;
  const std::string place = options.host + ":" + std::to_string(options.port);
  error_code error;
  tcp::resolver resolver(shared->io);
  const auto found = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error || found.empty()) return Error{Errc::io, place + ": no such address: " + error.message()};
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(net::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(net::socket_base::max_listen_connections, error);
  if (error == net::error::address_in_use)
    return Error{Errc::io, place + ": the port is taken: another server is running, or choose one with --port"};
  if (error) return Error{Errc::io, place + ": " + error.message()};
  max_connections = allowed_connections(options.limits.max_connections);
  return {};
}

void Listener::Impl::accept() {
  acceptor.async_accept([this](error_code error, tcp::socket socket) {
    if (error == net::error::operation_aborted) return;
    if (!error) {
      accepted(std::move(socket));
      return accept();
    }
    // Out of open files, or the connection was gone before it was there: not a reason to spin, nor to stop.
    timer.expires_after(kRetry);
    timer.async_wait([this](error_code stopped) {
      if (!stopped) accept();
    });
  });
}

void Listener::Impl::accepted(tcp::socket socket) {
  size_t n_open = 0;
  {
    const std::lock_guard lock(shared->mutex);
    n_open = shared->sessions.size();
  }
  const auto session = std::make_shared<Session>(std::move(socket), shared);
  if (n_open >= max_connections) return session->refuse();
  session->start();
}

std::vector<std::shared_ptr<Session>> Listener::Impl::sessions() const {
  std::vector<std::shared_ptr<Session>> out;
  const std::lock_guard lock(shared->mutex);
  for (Session* session : shared->sessions) {
    if (auto alive = session->weak_from_this().lock()) out.push_back(std::move(alive));
  }
  return out;
}

void Listener::Impl::wind_down(std::chrono::steady_clock::time_point until) {
  const auto left = sessions();
  if (left.empty()) return;
  if (std::chrono::steady_clock::now() >= until) {
    for (const auto& session : left) session->abandon();
    return;
  }
  timer.expires_after(kPoll);
  timer.async_wait([this, until](error_code) { wind_down(until); });
}

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::~Listener() = default;

Result<std::unique_ptr<Listener>> Listener::create(ListenOptions options) {
  try {
    auto impl = std::make_unique<Impl>(std::move(options));
    if (auto status = impl->open(); !status) return status.error();
    return std::unique_ptr<Listener>(new Listener(std::move(impl)));
  } catch (const std::exception& error) {
    return Error{Errc::io, std::string("the server cannot listen: ") + error.what()};
  }
}

uint16_t Listener::port() const { return impl_->acceptor.local_endpoint().port(); }
bool Listener::on_loopback() const { return impl_->acceptor.local_endpoint().address().is_loopback(); }

void Listener::run() {
  impl_->accept();
  impl_->shared->io.run();
}

void Listener::stop(std::chrono::milliseconds grace) {
  net::post(impl_->shared->io, [this, grace] {
    impl_->shared->stopping = true;
    error_code ignored;
    impl_->acceptor.close(ignored);
    impl_->timer.cancel();
    for (const auto& session : impl_->sessions()) session->wind_down();
    impl_->wind_down(std::chrono::steady_clock::now() + grace);
  });
}

size_t Listener::n_connections() const {
  const std::lock_guard lock(impl_->shared->mutex);
  return impl_->shared->sessions.size();
}

}  // namespace quern::server
