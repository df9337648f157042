// Hosts: the models that are loaded, by name: loaded when somebody asks, unloaded when nobody has for a while.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "examples/server/hosts/host.h"

namespace quern::server {

/// Negative: for ever.
using KeepAlive = std::chrono::milliseconds;

/// Seconds, or a duration as Go and Ollama spell it: "300", "5m", "1h30m", "-1". Nothing for anything else.
std::optional<KeepAlive> parse_keep_alive(const std::string& text);

struct HostsOptions {
  HostOptions host;
  uint32_t max_loaded = 3;
  KeepAlive keep_alive = std::chrono::minutes(5);  ///< after the last request, unless one says otherwise
  uint32_t max_waiting = 256;                      ///< requests that wait for models to be loaded
  /// Finds a model by a client's name; Errc::not_found if there is none. Any thread.
  std::function<Result<ModelSpec>(const std::string&)> find{};
  LogFn log{};
};

struct LoadedModel {
  ModelSpec spec;
  std::shared_ptr<Host> host;
  uint32_t n_users = 0;
  std::optional<std::chrono::system_clock::time_point> expires{};  ///< absent: stays
};

class Hosts;

/// The right to use a loaded model; while one exists, the model stays.
class Lease {
 public:
  Lease(Hosts* owner, std::string key, std::shared_ptr<Host> host, ModelSpec spec)
      : owner_(owner), key_(std::move(key)), host_(std::move(host)), spec_(std::move(spec)) {}
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Host& operator*() const { return *host_; }
  Host* operator->() const { return host_.get(); }
  /// What was asked for. Several names may mean one loaded model, each with a system message and parameters of its own.
  const ModelSpec& spec() const { return spec_; }

 private:
  Hosts* owner_;
  std::string key_;
  std::shared_ptr<Host> host_;
  ModelSpec spec_;
};

/// Thread-safe. Loads one model at a time, on a thread of its own.
class Hosts {
 public:
  explicit Hosts(HostsOptions options);
  ~Hosts();  ///< All leases must be gone.

  using Ready = std::function<void(Result<std::shared_ptr<Lease>>)>;
  /// Calls `ready` with the model: at once if it is loaded, else on the loading thread once it is. Errc::not_found for
  /// a name that there is none of, Errc::busy where too many wait or every model that is loaded is in use.
  void use(const std::string& name, std::optional<KeepAlive> keep_alive, Ready ready);
  /// Unloads it as soon as nobody uses it. False: it is not loaded.
  bool unload(const std::string& name);
  std::vector<LoadedModel> loaded() const;
  /// Ends all that is running or waiting; nothing can be used from then on.
  void stop();

 private:
  friend class Lease;
  using Clock = std::chrono::steady_clock;
  struct Entry {
    ModelSpec spec;
    std::shared_ptr<Host> host;
    uint32_t n_users = 0;
    KeepAlive keep{0};
    Clock::time_point last_use{};
  };
  struct Job {
    ModelSpec spec;
    KeepAlive keep{0};
    std::vector<std::pair<ModelSpec, Ready>> waiting;
  };

  void release(const std::string& key);
  void run();
  void load(std::unique_lock<std::mutex>& lock);
  bool make_room(std::vector<std::shared_ptr<Host>>& unloaded);
  Result<std::shared_ptr<Host>> open(const ModelSpec& spec, bool room);
  void reap(std::unique_lock<std::mutex>& lock);
  std::shared_ptr<Lease> lease(const std::string& key, Entry& entry, ModelSpec spec);

  HostsOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<std::string, Entry> entries_;
  std::deque<Job> jobs_;
  CancelToken stop_;
  std::thread thread_;
};

}  // namespace quern::server
