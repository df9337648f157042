#include "examples/server/file_facts.h"

#include <chrono>
#include <filesystem>

#include "examples/store/card.h"
#include "examples/store/digest.h"

namespace quern::server {
namespace {

namespace fs = std::filesystem;

uint64_t size_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const auto size = fs::file_size(path, error);
    return error ? 0 : size;
  }
  uint64_t sum = 0;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) sum += it->file_size(ignored);
  }
  return sum;
}

/// Nanoseconds since 1970; 0 where that is not known.
int64_t modified(const fs::path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  if (error) return 0;
  const auto system = std::chrono::file_clock::to_sys(time);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(system.time_since_epoch()).count();
}

}  // namespace

FileFact FileFacts::get(const std::string& path) {
  FileFact fact;
  fact.size_bytes = size_of(path);
  fact.modified_ns = modified(path);
  fact.digest =
      store::digest_of(path + "\n" + std::to_string(fact.size_bytes) + "\n" + std::to_string(fact.modified_ns)).hex();
  const std::lock_guard lock(mutex_);
  const auto it = facts_.find(path);
  if (it != facts_.end() && it->second.digest == fact.digest) return it->second;
  if (auto details = store::read_details(path)) fact.details = std::move(*details);
  return facts_[path] = fact;
}

}  // namespace quern::server
