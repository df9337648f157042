#include "examples/server/hosts/hosts.h"

#include <algorithm>
#include <utility>

namespace quern::server {
namespace {

/// Two names of one model are one model; the same file with another template or context is another.
std::string key_of(const ModelSpec& spec) {
  std::string key = spec.path + "\n" + std::to_string(spec.n_ctx());
  for (const auto& [path, scale] : spec.adapters) key += "\n" + path + " " + std::to_string(scale);
  return key + "\n" + spec.chat_template;
}

}  // namespace

Lease::~Lease() {
  host_.reset();
  owner_->release(key_);
}

Hosts::Hosts(HostsOptions options) : options_(std::move(options)), thread_([this] { run(); }) {}

Hosts::~Hosts() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void Hosts::stop() {
  std::deque<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    stop_.cancel();
    jobs.swap(jobs_);
    changed_.notify_all();
  }
  for (auto& job : jobs) {
    for (auto& waiting : job.waiting) waiting.second(Error{Errc::cancelled, "the server is shutting down"});
  }
}

std::shared_ptr<Lease> Hosts::lease(const std::string& key, Entry& entry, ModelSpec spec) {
  ++entry.n_users;
  entry.spec = spec;  // loaded models are shown by the name that was asked for last
  return std::make_shared<Lease>(this, key, entry.host, std::move(spec));
}

void Hosts::use(const std::string& name, std::optional<KeepAlive> keep_alive, Ready ready) {
  auto spec = options_.find(name);
  if (!spec) return ready(spec.error());
  const KeepAlive keep = spec->fixed ? KeepAlive(-1) : keep_alive.value_or(options_.keep_alive);
  const std::string key = key_of(*spec);
  Result<std::shared_ptr<Lease>> result = Error{Errc::cancelled, "the server is shutting down"};
  {
    const std::lock_guard lock(mutex_);
    const auto it = entries_.find(key);
    size_t n_waiting = 0;
    for (const auto& job : jobs_) n_waiting += job.waiting.size();
    if (stop_.cancelled()) {
    } else if (it != entries_.end()) {
      if (keep_alive || it->second.n_users == 0) it->second.keep = keep;
      result = lease(key, it->second, std::move(*spec));
    } else if (n_waiting >= options_.max_waiting) {
      result = Error{Errc::busy, std::to_string(n_waiting) + " requests wait for models to be loaded"};
    } else {
      const auto job = std::find_if(jobs_.begin(), jobs_.end(), [&](const Job& j) { return key_of(j.spec) == key; });
      if (job != jobs_.end()) {
        job->waiting.emplace_back(std::move(*spec), std::move(ready));
      } else {
        jobs_.push_back({*spec, keep, {}});
        jobs_.back().waiting.emplace_back(std::move(*spec), std::move(ready));
      }
      changed_.notify_all();
      return;
    }
  }
  ready(std::move(result));
}

void Hosts::release(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  --it->second.n_users;
  it->second.last_use = Clock::now();
  changed_.notify_all();
}

bool Hosts::unload(const std::string& name) {
  const auto spec = options_.find(name);
  if (!spec) return false;
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(key_of(*spec));
  if (it == entries_.end()) return false;
  it->second.keep = KeepAlive(0);
  changed_.notify_all();
  return true;
}

std::vector<LoadedModel> Hosts::loaded() const {
  std::vector<LoadedModel> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, entry] : entries_) {
    LoadedModel model{entry.spec, entry.host, entry.n_users, {}};
    if (entry.keep.count() >= 0) {
      const auto base = entry.n_users > 0 ? Clock::now() : entry.last_use;
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(base + entry.keep - Clock::now());
      model.expires = std::chrono::system_clock::now() + left;
    }
    out.push_back(std::move(model));
  }
  return out;
}

/// Unloads what nobody has used for long enough.
void Hosts::reap(std::unique_lock<std::mutex>& lock) {
  std::vector<std::shared_ptr<Host>> gone;
  for (auto it = entries_.begin(); it != entries_.end();) {
    const Entry& entry = it->second;
    const bool over = entry.keep.count() >= 0 && Clock::now() >= entry.last_use + entry.keep;
    if (entry.n_users == 0 && over) {
      gone.push_back(std::move(it->second.host));
      it = entries_.erase(it);
    } else {
      ++it;
    }
  }
  if (gone.empty()) return;
  lock.unlock();
  gone.clear();  // which takes a while
  lock.lock();
}

/// Makes place for one model, under the mutex. False: all that are loaded are in use.
bool Hosts::make_room(std::vector<std::shared_ptr<Host>>& unloaded) {
  while (entries_.size() >= options_.max_loaded) {
    auto oldest = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->second.n_users > 0) continue;
      if (oldest == entries_.end() || it->second.last_use < oldest->second.last_use) oldest = it;
    }
    if (oldest == entries_.end()) return false;
    unloaded.push_back(std::move(oldest->second.host));
    entries_.erase(oldest);
  }
  return true;
}

Result<std::shared_ptr<Host>> Hosts::open(const ModelSpec& spec, bool room) {
  if (!room)
    return Error{Errc::busy, "all " + std::to_string(options_.max_loaded) + " models that may be loaded are in use"};
  try {
    if (options_.log) options_.log(LogLevel::info, "loading " + spec.name);
    return Host::open(spec, options_.host, stop_);
  } catch (const std::exception& error) {
    return Error{Errc::internal, spec.name + ": " + error.what()};
  }
}

/// The first job, whose place in the queue others may still join.
void Hosts::load(std::unique_lock<std::mutex>& lock) {
  const ModelSpec spec = jobs_.front().spec;
  std::vector<std::shared_ptr<Host>> unloaded;
  const bool room = make_room(unloaded);
  lock.unlock();
  unloaded.clear();
  auto host = open(spec, room);
  lock.lock();
  if (jobs_.empty()) return;  // stopped
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  std::vector<Result<std::shared_ptr<Lease>>> results;
  if (host) {
    const std::string key = key_of(spec);
    Entry& entry = entries_[key] = Entry{spec, *host, 0, job.keep, Clock::now()};
    for (auto& waiting : job.waiting) results.emplace_back(lease(key, entry, std::move(waiting.first)));
  } else {
    results.assign(job.waiting.size(), host.error());
  }
  lock.unlock();
  for (size_t i = 0; i < results.size(); ++i) job.waiting[i].second(std::move(results[i]));
  results.clear();
  lock.lock();
}

void Hosts::run() {
  constexpr std::chrono::milliseconds kTick{250};  // between looks at what may be unloaded
  std::unique_lock lock(mutex_);
  while (!stop_.cancelled()) {
    if (!jobs_.empty()) {
      load(lock);
    } else {
      changed_.wait_for(lock, kTick);
    }
    reap(lock);
  }
  auto entries = std::exchange(entries_, {});
  lock.unlock();
  for (auto& [key, entry] : entries) entry.host->stop();
}

}  // namespace quern::server
