// Service: what all handlers share: the models, the catalog of names, the counters, a few threads for short work.
#pragma once

#include <utility>  // which Asio 1.74 needs and does not include

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "examples/server/api/error.h"
#include "examples/server/api/json.h"
#include "examples/server/catalog.h"
#include "examples/server/file_facts.h"
#include "examples/server/hosts/hosts.h"
#include "examples/server/metrics.h"

namespace quern::server {

struct ServiceOptions {
  bool slots = false;       ///< answer /slots, which tells what runs
  bool show_paths = false;  ///< tell paths of model files
};

struct Service {
  Service(ServiceOptions o, Catalog c, HostsOptions h) : options(o), catalog(std::move(c)), hosts(std::move(h)) {}
  ~Service() { stop(); }
  /// Ends what is running, and the threads.
  void stop();

  const ServiceOptions options;
  Catalog catalog;
  Metrics metrics;
  Hosts hosts;
  boost::asio::thread_pool workers{4};    ///< for what takes milliseconds: reading requests, rendering templates
  boost::asio::thread_pool embedders{1};  ///< embeddings, one after the other
  static constexpr uint32_t kMaxJobs = 4;
  boost::asio::thread_pool jobs{kMaxJobs};  ///< long work, each on a thread of its own: downloads, new models
  std::atomic<uint32_t> n_jobs{0};          ///< in progress; there is no queue for more
  CancelToken stopping{};                   ///< ends them
  FileFacts facts{};
  size_t n_connections() const { return connections ? connections() : 0; }
  std::function<size_t()> connections{};
};

/// An exchange with what handlers need beside it.
struct Call {
  Service& service;
  ExchangePtr exchange;
  ErrorStyle style = ErrorStyle::openai;
  uint64_t key = 0;  ///< which API key asks; requests of different ones share no cache
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

  const HttpRequest& request() const { return exchange->request(); }
  void fail(const ApiError& error) const { exchange->send(error_response(error, style)); }
  void answer(const Json& json, unsigned status = 200) const {
    HttpResponse response;
    response.status = status;
    response.body = dump(json);
    exchange->send(std::move(response));
  }
};

/// Gets the model that a request names (empty: the first of the catalog) and calls `then` with it; whatever fails or is
/// thrown there becomes the answer.
void with_model(const std::shared_ptr<Call>& call, const std::string& name, std::optional<KeepAlive> keep_alive,
                std::function<void(std::shared_ptr<Lease>)> then);
/// The same on the thread that makes embeddings.
void with_embedder(const std::shared_ptr<Call>& call, const std::string& name, std::optional<KeepAlive> keep_alive,
                   std::function<void(std::shared_ptr<Lease>)> then);
/// Runs work for a call; what it throws becomes the answer.
void guarded(const std::shared_ptr<Call>& call, const std::function<void()>& work);

}  // namespace quern::server
