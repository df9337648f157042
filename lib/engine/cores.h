// How many threads a computation should have on this machine: the physical cores that the process may use.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern::engine {

/// The logical processors that the calling thread may run on; empty where the system does not tell.
std::vector<int> allowed_processors();

/// Of these processors, how many are on different cores: hardware threads of one core share its arithmetic units.
/// `system_root` stands for /sys/devices/system/cpu. A processor without topology files counts as a core.
uint32_t count_cores(std::span<const int> processors, const std::string& system_root);

/// Processors' worth of time that the control groups grant, if they limit it. `membership`: the text of
/// /proc/self/cgroup; `cgroup_root` stands for /sys/fs/cgroup. Both versions of control groups are read.
std::optional<double> processor_quota(std::string_view membership, const std::string& cgroup_root);

/// The least of all these, at least 1.
uint32_t usable_cores();

}  // namespace quern::engine
