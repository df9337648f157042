// How many threads a computation should have on this machine, and where: the physical cores that the process may use,
// without the slow ones of processors that have two kinds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"

namespace quern::engine {

/// The logical processors that the calling thread may run on; empty where the system does not tell.
std::vector<int> allowed_processors();

/// Logical processors in the order in which threads should take them.
struct RankedProcessors {
  std::vector<int> order;  ///< One of each fast core, then one of each slow core, then the other hardware threads.
  uint32_t n_fast = 0;     ///< How many of them are of the first kind.
};

/// Hardware threads of one core share its arithmetic units, so a core counts once. On processors with two kinds of
/// cores the fast ones alone are counted: a few of them exhaust the memory, and a slow one that holds the last task
/// keeps the others waiting. `devices_root` stands for /sys/devices. A processor that the system says nothing of counts
/// as a fast core. Within a kind the given order stays.
RankedProcessors rank_processors(std::span<const int> processors, const std::string& devices_root);

/// Processors' worth of time that the control groups grant, if they limit it. `membership`: the text of
/// /proc/self/cgroup; `cgroup_root` stands for /sys/fs/cgroup. Both versions of control groups are read.
std::optional<double> processor_quota(std::string_view membership, const std::string& cgroup_root);

/// The kernel's form of a set of processors, "0-3,8"; nothing where the text is not one.
std::optional<std::vector<int>> parse_processor_list(std::string_view text);

/// Threads for these processors: their fast cores, or what the control groups grant if that is less; at least 1.
uint32_t useful_threads(const RankedProcessors& processors);
/// The same for whatever processors the calling thread may run on.
uint32_t usable_cores();

/// The processors to which threads are bound: `wanted` (all that the calling thread may use if it is empty), ranked.
/// Errc::argument if one of them may not be used.
Result<RankedProcessors> binding_processors(std::span<const int> wanted);

}  // namespace quern::engine
