// FileFacts: what the files of models that are not in the store say about themselves, read once.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "examples/store/store.h"

namespace quern::server {

struct FileFact {
  store::Details details{};
  uint64_t size_bytes = 0;
  int64_t modified_ns = 0;
  /// 64 hexadecimal digits that tell this state of the file from others: of its path, size and time, not of its bytes,
  /// which nobody wants to wait for.
  std::string digest{};
};

/// Thread-safe.
class FileFacts {
 public:
  /// Of a GGUF file or a folder; read again when the file has changed.
  FileFact get(const std::string& path);

 private:
  std::mutex mutex_;
  std::map<std::string, FileFact> facts_;
};

}  // namespace quern::server
