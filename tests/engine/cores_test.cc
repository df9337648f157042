#include "lib/engine/cores.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using namespace quern::engine;

namespace {

/// A folder of small files that is gone afterwards.
class Tree {
 public:
  Tree()
      : root_(fs::temp_directory_path() / ("quern_cores_test_" + std::to_string(reinterpret_cast<uintptr_t>(this)))) {
    fs::create_directories(root_);
  }
  ~Tree() { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text << '\n';
  }
  std::string root() const { return root_.string(); }

 private:
  fs::path root_;
};

}  // namespace

TEST_CASE("hardware threads of one core count once") {
  const Tree tree;
  tree.write("cpu0/topology/core_cpus_list", "0,4");
  tree.write("cpu4/topology/core_cpus_list", "0,4");
  tree.write("cpu1/topology/core_cpus_list", "1,5");
  tree.write("cpu2/topology/thread_siblings_list", "2,6");  // the older name
  tree.write("cpu6/topology/thread_siblings_list", "2,6");
  CHECK(count_cores(std::vector{0, 1, 2, 4, 6}, tree.root()) == 3);
  CHECK(count_cores(std::vector{4}, tree.root()) == 1);
  CHECK(count_cores(std::vector{0, 7, 8}, tree.root()) == 3);  // 7 and 8 tell nothing of themselves
  CHECK(count_cores({}, tree.root()) == 0);
}

TEST_CASE("quotas of control groups, version 2: the least on the way up") {
  const Tree tree;
  tree.write("cpu.max", "max 100000");
  tree.write("a/cpu.max", "150000 100000");
  tree.write("a/b/cpu.max", "400000 100000");
  CHECK(processor_quota("0::/a/b\n", tree.root()) == 1.5);
  CHECK(processor_quota("0::/a\n", tree.root()) == 1.5);
  CHECK_FALSE(processor_quota("0::/\n", tree.root()).has_value());
  CHECK_FALSE(processor_quota("0::/elsewhere\n", tree.root()).has_value());
  CHECK_FALSE(processor_quota("", tree.root()).has_value());
  CHECK_FALSE(processor_quota("nonsense\n\n::\n", tree.root()).has_value());
}

TEST_CASE("quotas of control groups, version 1") {
  const Tree tree;
  tree.write("cpu,cpuacct/box/cpu.cfs_quota_us", "50000");
  tree.write("cpu,cpuacct/box/cpu.cfs_period_us", "100000");
  tree.write("cpu,cpuacct/cpu.cfs_quota_us", "-1");
  tree.write("cpu,cpuacct/cpu.cfs_period_us", "100000");
  CHECK(processor_quota("12:pids:/box\n4:cpu,cpuacct:/box\n", tree.root()) == 0.5);
  CHECK_FALSE(processor_quota("4:cpu,cpuacct:/\n", tree.root()).has_value());
  CHECK_FALSE(processor_quota("4:cpuset:/box\n", tree.root()).has_value());
}

TEST_CASE("quota files that make no sense are no limit") {
  const Tree tree;
  for (const char* text : {"", "100000", "0 0", "-5 100000", "1e400 100000", "abc def", "100000 0"}) {
    tree.write("cpu.max", text);
    CAPTURE(text);
    CHECK_FALSE(processor_quota("0::/\n", tree.root()).has_value());
  }
}

TEST_CASE("this machine has at least one core and no more than its processors") {
  CHECK(usable_cores() >= 1);
  CHECK(usable_cores() <= allowed_processors().size());
}
