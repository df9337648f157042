// Sources: proc_meminfo(5) (MemAvailable); Linux Documentation/admin-guide/cgroup-v2.rst (memory.max, memory.current,
// memory.stat).
#include "lib/base/memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

namespace quern::base {
namespace {

std::optional<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The number that `text` begins with, after blanks.
std::optional<uint64_t> number(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return std::nullopt;
  uint64_t value = 0;
  const auto [rest, error] = std::from_chars(text.data() + first, text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

/// The number behind a word that begins a line.
std::optional<uint64_t> entry(const std::string& path, std::string_view word) {
  const auto text = read_text(path);
  if (!text) return std::nullopt;
  const std::string_view all = *text;
  for (size_t begin = 0; begin < all.size();) {
    const std::string_view line = all.substr(begin, all.find('\n', begin) - begin);
    if (line.substr(0, word.size()) == word) return number(line.substr(word.size()));
    begin += line.size() + 1;
  }
  return std::nullopt;
}

std::optional<uint64_t> number_in(const std::string& path) {
  const auto text = read_text(path);
  return text ? number(*text) : std::nullopt;
}

}  // namespace

uint64_t available_memory_bytes(const std::string& proc_root, const std::string& cgroup_folder) {
  const uint64_t system = entry(proc_root + "/meminfo", "MemAvailable:").value_or(0) * 1024;
  const auto limit = number_in(cgroup_folder + "/memory.max");  // "max" is no number: there is no limit
  const auto used = number_in(cgroup_folder + "/memory.current");
  if (!limit || !used) return system;
  // Pages of files that are not in use are given back before the limit is felt.
  const uint64_t files = entry(cgroup_folder + "/memory.stat", "inactive_file ").value_or(0);
  const uint64_t taken = *used - std::min(*used, files);
  const uint64_t group = *limit - std::min(*limit, taken);
  return system == 0 ? group : std::min(system, group);
}

uint64_t available_memory_bytes() { return available_memory_bytes("/proc", "/sys/fs/cgroup"); }

}  // namespace quern::base
