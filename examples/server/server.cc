#include "examples/server/server.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "examples/server/routes.h"

namespace quern::server {
namespace {

ApiError refusal(Guard::Refusal why) {
  switch (why) {
    case Guard::Refusal::host:
      return ApiError(403, "requests to this host name are not answered: start the server with --allowed-host NAME");
    case Guard::Refusal::origin:
      return ApiError(403, "pages of this origin may not ask: start the server with --cors-origin ORIGIN");
    case Guard::Refusal::content_type:
      return ApiError(415, "expected Content-Type: application/json");
    case Guard::Refusal::key:
      break;
  }
  return ApiError(401, "no valid API key: send it as `Authorization: Bearer KEY`", {}, "invalid_api_key");
}

/// Counts an exchange's answer, and adds headers to it.
class CountedExchange : public Exchange {
 public:
  CountedExchange(ExchangePtr inner, Metrics& metrics, std::string route,
                  std::vector<std::pair<std::string, std::string>> headers)
      : inner_(std::move(inner)), metrics_(metrics), route_(std::move(route)), headers_(std::move(headers)) {}
  const HttpRequest& request() const override { return inner_->request(); }
  void send(HttpResponse response) override { inner_->send(counted(std::move(response))); }
  void begin(HttpResponse response) override { inner_->begin(counted(std::move(response))); }
  void write(std::string data) override { inner_->write(std::move(data)); }
  void end() override { inner_->end(); }
  const CancelToken& gone() const override { return inner_->gone(); }

 private:
  HttpResponse counted(HttpResponse response) {
    metrics_.count_request(route_, response.status);
    response.headers.insert(response.headers.end(), headers_.begin(), headers_.end());
    return response;
  }
  ExchangePtr inner_;
  Metrics& metrics_;
  std::string route_;
  std::vector<std::pair<std::string, std::string>> headers_;
};

}  // namespace

struct Server::Impl {
  Impl(ServerOptions o, Catalog catalog, HostsOptions hosts)
      : options(std::move(o)), service(options.service, std::move(catalog), std::move(hosts)) {}

  std::optional<HttpResponse> check(const HttpRequest& request) const;
  void handle(ExchangePtr exchange);
  HttpResponse preflight(const HttpRequest& request) const;

  ServerOptions options;
  std::unique_ptr<Guard> guard;
  Service service;
  std::unique_ptr<Listener> listener;
};

/// What can be refused before the body is read.
std::optional<HttpResponse> Server::Impl::check(const HttpRequest& request) const {
  bool path_known = false;
  const Route* route = find_route(request.method, request.path, path_known);
  const ErrorStyle style = style_of(request.path);
  const bool asks_first = request.method == "OPTIONS";
  if (const auto why = guard->check(request, asks_first || (route != nullptr && route->is_public)))
    return error_response(refusal(*why), style);
  if (asks_first) return preflight(request);
  if (route != nullptr) return std::nullopt;
  if (!path_known) return error_response(ApiError(404, "there is nothing at " + request.path.substr(0, 200)), style);
  HttpResponse response = error_response(ApiError(405, request.path + " is for " + methods_of(request.path)), style);
  response.headers.emplace_back("Allow", methods_of(request.path));
  return response;
}

HttpResponse Server::Impl::preflight(const HttpRequest& request) const {
  HttpResponse response;
  response.status = 204;
  response.content_type.clear();
  response.headers = guard->cors_headers(request);
  response.headers.emplace_back("Allow", methods_of(request.path));
  return response;
}

void Server::Impl::handle(ExchangePtr exchange) {
  bool path_known = false;
  const HttpRequest& request = exchange->request();
  const Route* route = find_route(request.method, request.path, path_known);
  if (route == nullptr) return;  // check() has seen to that
  const auto call = std::make_shared<Call>(Call{service, nullptr, route->style, guard->key_of(request)});
  call->exchange =
      std::make_shared<CountedExchange>(exchange, service.metrics, route->path, guard->cors_headers(request));
  const auto work = [call, route] { guarded(call, [&] { route->handler(call); }); };
  if (route->at_once) return work();
  boost::asio::post(service.workers, work);
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() { impl_->service.stop(); }

Result<std::unique_ptr<Server>> Server::create(ServerOptions options) {
  for (auto& model : options.models) model.fixed = true;
  Catalog catalog(options.models, options.store);
  HostsOptions hosts = options.hosts;
  hosts.log = options.log;
  hosts.max_loaded = std::max<uint32_t>(hosts.max_loaded, static_cast<uint32_t>(options.models.size()));
  const auto shared = std::make_shared<const Catalog>(catalog);
  hosts.find = [shared](const std::string& name) { return shared->find(name); };
  auto impl = std::make_unique<Impl>(std::move(options), std::move(catalog), std::move(hosts));

  ListenOptions listen;
  listen.host = impl->options.host;
  listen.port = impl->options.port;
  listen.limits = impl->options.limits;
  Impl* self = impl.get();
  listen.check = [self](const HttpRequest& request) { return self->check(request); };
  listen.handle = [self](ExchangePtr exchange) { self->handle(std::move(exchange)); };
  listen.error = [](unsigned status, const std::string& message, const std::string& path) {
    return error_response(ApiError(status, message), path.empty() ? ErrorStyle::openai : style_of(path));
  };
  auto listener = Listener::create(std::move(listen));
  if (!listener) return listener.error();
  impl->listener = std::move(*listener);
  impl->options.guard.on_loopback = impl->listener->on_loopback();
  impl->guard = std::make_unique<Guard>(impl->options.guard);
  if (!impl->listener->on_loopback() && !impl->guard->needs_key() && !impl->options.without_key)
    return Error{
        Errc::argument,
        impl->options.host + " can be reached from other machines: set a key with --api-key, or say --no-api-key"};
  impl->service.connections = [self] { return self->listener->n_connections(); };
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

uint16_t Server::port() const { return impl_->listener->port(); }

std::string Server::address() const {
  const std::string& host = impl_->options.host;
  const bool v6 = host.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port());
}

void Server::preload() {
  for (const auto& model : impl_->options.models) {
    impl_->service.hosts.use(model.name, std::nullopt,
                             [this, name = model.name](const Result<std::shared_ptr<Lease>>& lease) {
                               if (!impl_->options.log) return;
                               if (lease) {
                                 char seconds[32];
                                 std::snprintf(seconds, sizeof(seconds), "%.1f s", (**lease)->load_seconds());
                                 impl_->options.log(LogLevel::info, name + " is loaded, in " + seconds);
                               } else {
                                 impl_->options.log(LogLevel::error, name + " does not load: " + lease.error().message);
                               }
                             });
  }
}

void Server::run() { impl_->listener->run(); }
void Server::stop(std::chrono::milliseconds grace) { impl_->listener->stop(grace); }
Service& Server::service() { return impl_->service; }

}  // namespace quern::server
