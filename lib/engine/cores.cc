// Sources: sched_getaffinity(2); Linux Documentation/admin-guide/cputopology.rst, cgroup-v2.rst (cpu.max) and
// scheduler/sched-bwc.rst (cpu.cfs_quota_us, cpu.cfs_period_us).
#include "lib/engine/cores.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "lib/base/status.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace quern::engine {
namespace {

/// A small text file of the system, or nothing.
std::optional<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::optional<double> least(std::optional<double> a, std::optional<double> b) {
  if (!a) return b;
  return b ? std::min(*a, *b) : a;
}

/// "max 100000" or "150000 100000": microseconds granted in each period.
std::optional<double> quota_v2(const std::string& folder) {
  const auto text = read_text(folder + "/cpu.max");
  if (!text) return std::nullopt;
  const size_t space = text->find(' ');
  if (space == std::string::npos) return std::nullopt;
  const auto quota = number(std::string_view(*text).substr(0, space));
  const auto period = number(std::string_view(*text).substr(space + 1));
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return *quota / *period;
}

std::optional<double> quota_v1(const std::string& folder) {
  const auto quota_text = read_text(folder + "/cpu.cfs_quota_us"),
             period_text = read_text(folder + "/cpu.cfs_period_us");
  if (!quota_text || !period_text) return std::nullopt;
  const auto quota = number(*quota_text), period = number(*period_text);
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;  // a quota of -1: no limit
  return *quota / *period;
}

/// The least of a group's quota and those of the groups it is in, up to the root.
template <class Quota>
std::optional<double> quota_up(const std::string& root, std::string_view group, Quota quota) {
  std::optional<double> out;
  std::string path(group);
  while (true) {
    while (!path.empty() && path.back() == '/') path.pop_back();
    out = least(out, quota(root + path));
    if (path.empty()) return out;
    path.resize(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
  }
}

bool has_controller(std::string_view controllers, std::string_view name) {
  while (!controllers.empty()) {
    const size_t comma = controllers.find(',');
    if (controllers.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) break;
    controllers.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace

std::vector<int> allowed_processors() {
  std::vector<int> out;
#if defined(__linux__)
  // The kernel refuses a set that is smaller than its own.
  for (int n = 1024; n <= 1 << 16; n *= 4) {
    std::vector<cpu_set_t> set((static_cast<size_t>(n) + CPU_SETSIZE - 1) / CPU_SETSIZE);
    const size_t bytes = set.size() * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, set.data()) != 0) continue;
    for (int i = 0; i < n; ++i) {
      if (CPU_ISSET_S(i, bytes, set.data())) out.push_back(i);
    }
    break;
  }
#endif
  return out;
}

uint32_t count_cores(std::span<const int> processors, const std::string& system_root) {
  std::set<std::string> cores;
  for (const int processor : processors) {
    const std::string topology = cat(system_root, "/cpu", processor, "/topology/");
    auto siblings = read_text(topology + "core_cpus_list");
    if (!siblings) siblings = read_text(topology + "thread_siblings_list");
    cores.insert(siblings && !siblings->empty() ? *siblings : cat("processor ", processor));
  }
  return static_cast<uint32_t>(cores.size());
}

std::optional<double> processor_quota(std::string_view membership, const std::string& cgroup_root) {
  std::optional<double> out;
  while (!membership.empty()) {
    const size_t newline = membership.find('\n');
    const std::string_view line = membership.substr(0, newline);
    membership.remove_prefix(newline == std::string_view::npos ? membership.size() : newline + 1);
    // "hierarchy:controllers:path"; version 2 has hierarchy 0 and no controllers.
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (line.substr(0, first) == "0" && controllers.empty()) {
      out = least(out, quota_up(cgroup_root, group, quota_v2));
    } else if (has_controller(controllers, "cpu")) {
      for (const auto& mount : {std::string("/cpu"), "/" + std::string(controllers)}) {
        out = least(out, quota_up(cgroup_root + mount, group, quota_v1));
      }
    }
  }
  return out;
}

uint32_t usable_cores() {
  const std::vector<int> processors = allowed_processors();
  uint32_t cores =
      processors.empty() ? std::thread::hardware_concurrency() : count_cores(processors, "/sys/devices/system/cpu");
  const auto membership = read_text("/proc/self/cgroup");
  if (const auto quota = membership ? processor_quota(*membership, "/sys/fs/cgroup") : std::nullopt) {
    cores = std::min(cores, static_cast<uint32_t>(std::ceil(std::min(*quota, 1e6))));
  }
  return std::max(cores, 1u);
}

}  // namespace quern::engine
