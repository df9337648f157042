// Sources: sched_getaffinity(2); Linux Documentation/admin-guide/cputopology.rst, cgroup-v2.rst (cpu.max) and
// scheduler/sched-bwc.rst (cpu.cfs_quota_us, cpu.cfs_period_us); Documentation/ABI/testing/sysfs-devices-system-cpu
// (cpu_capacity, cpufreq); perf-intel-hybrid(1) (cpu_core).
#include "lib/engine/cores.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace quern::engine {
namespace {

constexpr const char* kDevices = "/sys/devices";
constexpr int kMaxProcessor = 1 << 16;

/// A core with less than this share of the fastest one's speed is a slow one. Little cores are at up to about half,
/// middle cores and those that only clock lower (Zen 4c, 5c, a favoured core beside its equals) well above.
constexpr double kSlowCore = 0.55;

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

/// How fast each processor's core is beside the others, in a unit that is the same for all of them.
std::vector<double> core_speeds(std::span<const int> processors, const std::string& devices_root) {
  std::vector<double> out;
  // Intel processors with two kinds of cores: the kernel lists those that are built for speed.
  if (const auto text = read_text(devices_root + "/cpu_core/cpus")) {
    if (const auto fast = parse_processor_list(*text)) {
      for (const int processor : processors) {
        out.push_back(std::find(fast->begin(), fast->end(), processor) != fast->end() ? 1 : 0);
      }
      return out;
    }
  }
  // Elsewhere: work done in a given time (Arm above all), or the clock, where every processor tells.
  for (const char* name : {"/cpu_capacity", "/cpufreq/cpuinfo_max_freq"}) {
    out.clear();
    for (const int processor : processors) {
      const auto text = read_text(cat(devices_root, "/system/cpu/cpu", processor, name));
      const auto speed = text ? number(*text) : std::nullopt;
      if (!speed || *speed <= 0) break;
      out.push_back(*speed);
    }
    if (out.size() == processors.size()) return out;
  }
  return std::vector<double>(processors.size(), 1.0);
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

std::optional<std::vector<int>> parse_processor_list(std::string_view text) {
  std::vector<int> out;
  const char *at = text.data(), *const end = at + text.size();
  const auto whole = [&](int& value) {
    const auto [rest, error] = std::from_chars(at, end, value);
    at = rest;
    return error == std::errc() && value >= 0 && value <= kMaxProcessor;
  };
  while (true) {
    int first = 0;
    if (!whole(first)) return std::nullopt;
    int last = first;
    if (at != end && *at == '-') {
      ++at;
      if (!whole(last) || last < first) return std::nullopt;
    }
    for (int i = first; i <= last; ++i) out.push_back(i);
    if (at == end) return out;
    if (*at++ != ',') return std::nullopt;
  }
}

RankedProcessors rank_processors(std::span<const int> processors, const std::string& devices_root) {
  const std::vector<double> speeds = core_speeds(processors, devices_root);
  const double fastest = speeds.empty() ? 0 : *std::max_element(speeds.begin(), speeds.end());
  std::set<std::string> cores;
  std::vector<int> fast, slow, others;
  for (size_t i = 0; i < processors.size(); ++i) {
    const std::string topology = cat(devices_root, "/system/cpu/cpu", processors[i], "/topology/");
    auto siblings = read_text(topology + "core_cpus_list");
    if (!siblings) siblings = read_text(topology + "thread_siblings_list");
    const bool is_first =
        cores.insert(siblings && !siblings->empty() ? *siblings : cat("processor ", processors[i])).second;
    (!is_first ? others : speeds[i] >= kSlowCore * fastest ? fast : slow).push_back(processors[i]);
  }
  RankedProcessors out{fast, static_cast<uint32_t>(fast.size())};
  out.order.insert(out.order.end(), slow.begin(), slow.end());
  out.order.insert(out.order.end(), others.begin(), others.end());
  return out;
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

uint32_t useful_threads(const RankedProcessors& processors) {
  uint32_t n = processors.n_fast;
  const auto membership = read_text("/proc/self/cgroup");
  if (const auto quota = membership ? processor_quota(*membership, "/sys/fs/cgroup") : std::nullopt) {
    n = std::min(n, static_cast<uint32_t>(std::ceil(std::min(*quota, 1e6))));
  }
  return std::max(n, 1u);
}

uint32_t usable_cores() {
  RankedProcessors processors = rank_processors(allowed_processors(), kDevices);
  if (processors.order.empty()) processors.n_fast = std::thread::hardware_concurrency();  // the system does not tell
  return useful_threads(processors);
}

Result<RankedProcessors> binding_processors(std::span<const int> wanted) {
  const std::vector<int> allowed = allowed_processors();
  QUERN_ENSURE(!allowed.empty(), Errc::unsupported, "binding threads to processors is not supported on this system");
  std::set<int> seen;
  for (const int processor : wanted) {
    QUERN_ENSURE(std::binary_search(allowed.begin(), allowed.end(), processor), Errc::argument, "processor ", processor,
                 ": not one of the ", allowed.size(), " that this process may use (", allowed.front(), " to ",
                 allowed.back(), ")");
    QUERN_ENSURE(seen.insert(processor).second, Errc::argument, "processor ", processor, " is named twice");
  }
  return rank_processors(wanted.empty() ? std::span<const int>(allowed) : wanted, kDevices);
}

}  // namespace quern::engine
