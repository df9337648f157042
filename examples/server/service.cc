#include "examples/server/service.h"

#include <boost/asio/post.hpp>

namespace quern::server {
namespace {

using Then = std::function<void(std::shared_ptr<Lease>)>;

void with_model_on(boost::asio::thread_pool& pool, const std::shared_ptr<Call>& call, const std::string& name,
                   std::optional<KeepAlive> keep_alive, Then then) {
  auto ready = [&pool, call, then = std::move(then)](Result<std::shared_ptr<Lease>> lease) {
    boost::asio::post(pool, [call, then, lease = std::move(lease)] {
      guarded(call, [&] {
        if (!lease) throw api_error(lease.error());
        if (call->exchange->gone().cancelled()) throw ApiError(503, "the client has gone");
        then(*lease);
      });
    });
  };
  call->service.hosts.use(name, keep_alive, std::move(ready));
}

}  // namespace

void Service::stop() {
  stopping.cancel();
  hosts.stop();
  workers.join();
  embedders.join();
  jobs.join();
}

void guarded(const std::shared_ptr<Call>& call, const std::function<void()>& work) {
  try {
    work();
  } catch (const ApiError& error) {
    call->fail(error);
  } catch (const std::bad_alloc&) {
    call->fail(ApiError(503, "out of memory"));
  } catch (const std::exception& error) {
    call->fail(ApiError(500, std::string("unexpected: ") + error.what()));
  }
}

void with_model(const std::shared_ptr<Call>& call, const std::string& name, std::optional<KeepAlive> keep_alive,
                Then then) {
  with_model_on(call->service.workers, call, name, keep_alive, std::move(then));
}

void with_embedder(const std::shared_ptr<Call>& call, const std::string& name, std::optional<KeepAlive> keep_alive,
                   Then then) {
  with_model_on(call->service.embedders, call, name, keep_alive, std::move(then));
}

}  // namespace quern::server
