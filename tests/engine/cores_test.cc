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

TEST_CASE("hardware threads of one core count once, and come last") {
  const Tree tree;
  tree.write("system/cpu/cpu0/topology/core_cpus_list", "0,4");
  tree.write("system/cpu/cpu4/topology/core_cpus_list", "0,4");
  tree.write("system/cpu/cpu1/topology/core_cpus_list", "1,5");
  tree.write("system/cpu/cpu2/topology/thread_siblings_list", "2,6");  // the older name
  tree.write("system/cpu/cpu6/topology/thread_siblings_list", "2,6");
  const auto all = rank_processors(std::vector{0, 4, 1, 2, 6}, tree.root());
  CHECK(all.n_fast == 3);
  CHECK(all.order == std::vector{0, 1, 2, 4, 6});
  CHECK(rank_processors(std::vector{4}, tree.root()).n_fast == 1);
  CHECK(rank_processors(std::vector{0, 7, 8}, tree.root()).n_fast == 3);  // 7 and 8 tell nothing of themselves
  CHECK(rank_processors({}, tree.root()).n_fast == 0);
}

TEST_CASE("two kinds of cores: Intel's list of the fast ones") {
  const Tree tree;
  tree.write("cpu_core/cpus", "0-3");
  tree.write("cpu_atom/cpus", "4-5");
  for (const int processor : {0, 1, 2, 3}) {
    tree.write("system/cpu/cpu" + std::to_string(processor) + "/topology/core_cpus_list",
               processor < 2 ? "0-1" : "2-3");
  }
  // The clock does not matter beside the list.
  for (int i = 0; i < 6; ++i) {
    tree.write("system/cpu/cpu" + std::to_string(i) + "/cpufreq/cpuinfo_max_freq", i < 4 ? "1000000" : "5000000");
  }
  const auto all = rank_processors(std::vector{4, 0, 1, 2, 3, 5}, tree.root());
  CHECK(all.n_fast == 2);
  CHECK(all.order == std::vector{0, 2, 4, 5, 1, 3});
  CHECK(rank_processors(std::vector{4, 5}, tree.root()).n_fast == 2);  // a process that may use no others uses these
  tree.write("cpu_core/cpus", "0-x");
  CHECK(rank_processors(std::vector{4, 5, 0}, tree.root()).n_fast == 2);  // no list after all: 4 and 5 by their clock
}

TEST_CASE("two kinds of cores: capacities") {
  const Tree tree;
  const char* capacities[] = {"1024", "870", "620", "380", "250"};
  for (int i = 0; i < 5; ++i) tree.write("system/cpu/cpu" + std::to_string(i) + "/cpu_capacity", capacities[i]);
  const auto all = rank_processors(std::vector{4, 3, 2, 1, 0}, tree.root());
  CHECK(all.n_fast == 3);
  CHECK(all.order == std::vector{2, 1, 0, 4, 3});
  CHECK(rank_processors(std::vector{3, 4}, tree.root()).n_fast == 2);
  CHECK(rank_processors(std::vector{0, 4, 9}, tree.root()).n_fast == 3);  // 9 tells nothing: no comparison
}

TEST_CASE("two kinds of cores: the clock, where there is nothing better") {
  const Tree tree;
  const char* clocks[] = {"5200000", "5000000", "3300000", "1800000"};
  for (int i = 0; i < 4; ++i) {
    tree.write("system/cpu/cpu" + std::to_string(i) + "/cpufreq/cpuinfo_max_freq", clocks[i]);
  }
  tree.write("system/cpu/cpu0/cpu_capacity", "1024");  // not of every processor: of no use
  CHECK(rank_processors(std::vector{0, 1, 2, 3}, tree.root()).n_fast == 3);
  for (const char* text : {"", "abc", "0", "-5"}) {
    tree.write("system/cpu/cpu3/cpufreq/cpuinfo_max_freq", text);
    CAPTURE(text);
    CHECK(rank_processors(std::vector{0, 1, 2, 3}, tree.root()).n_fast == 4);
  }
}

TEST_CASE("lists of processors") {
  CHECK(parse_processor_list("0") == std::vector{0});
  CHECK(parse_processor_list("0-2,8,10-11") == std::vector{0, 1, 2, 8, 10, 11});
  for (const char* text : {"", "-1", "3-1", "1,", ",1", "1-", "a", "0-99999999", "99999999999", "1 2"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_processor_list(text).has_value());
  }
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
