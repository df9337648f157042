// How much memory the machine has left.
#pragma once

#include <cstdint>
#include <string>

namespace quern::base {

/// Bytes that this process could take without driving others out, within the limit of its control group; 0 where the
/// system does not tell. Pages of mapped files count as free.
uint64_t available_memory_bytes();

/// The same of a system whose /proc/meminfo, and whose control group's memory.max and memory.current, lie in these
/// folders; for tests.
uint64_t available_memory_bytes(const std::string& proc_root, const std::string& cgroup_folder);

}  // namespace quern::base
