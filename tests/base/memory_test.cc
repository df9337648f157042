#include "lib/base/memory.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace quern;

namespace {

/// A folder of small files, removed at the end.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("quern-memory-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path_ / name) << text; }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("available memory") {
  const Folder folder;
  CHECK(base::available_memory_bytes(folder.path(), folder.path()) == 0);
  folder.write("meminfo", "MemTotal:       16000 kB\nMemFree:  10 kB\nMemAvailable:    8000 kB\n");
  CHECK(base::available_memory_bytes(folder.path(), folder.path()) == 8000u * 1024);
  folder.write("memory.current", "3000000\n");
  folder.write("memory.max", "max\n");
  CHECK(base::available_memory_bytes(folder.path(), folder.path()) == 8000u * 1024);
  folder.write("memory.max", "5000000\n");
  CHECK(base::available_memory_bytes(folder.path(), folder.path()) == 2000000);
  folder.write("memory.stat", "anon 1000\ninactive_file 500000\nactive_file 7\n");
  CHECK(base::available_memory_bytes(folder.path(), folder.path()) == 2500000);
  folder.write("memory.max", "1000\n");
  CHECK(base::available_memory_bytes(folder.path(), folder.path()) == 0);
#if defined(__linux__)
  CHECK(base::available_memory_bytes() > 0);
#endif
}
