// The measurements of quern bench.
#pragma once

#include <quern/quern.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "examples/cli/bench_plan.h"

namespace quern::cli {

/// A model on a number of threads, and what holds for all its tests.
struct BenchModel {
  std::string path;
  ModelInfo info;
  Footprint footprint;
  std::string backend;
  uint32_t n_threads = 0;
  double load_seconds = 0;
  std::optional<double> read_bandwidth;  ///< of the machine with these threads, bytes a second
};

struct BenchResult {
  BenchTest test;
  std::string time;             ///< when the test began, UTC
  std::vector<double> seconds;  ///< one per repetition
  uint64_t rss_bytes = 0;       ///< memory of the process at the end of the test
  /// Weights and cache that one pass of decoding reads, at the middle of the answer; 0 for tests that read prompts.
  uint64_t bytes_per_pass = 0;

  std::vector<double> rates() const;  ///< tokens a second
  double median_rate() const;
  /// Bytes a second that decoding read.
  std::optional<double> read_rate() const;
};

double mean(const std::vector<double>& values);
/// Of a sample; 0 for fewer than two values.
double standard_deviation(const std::vector<double>& values);
double median(std::vector<double> values);

Result<BenchResult> run_bench_test(const Model& model, const BenchArgs& args, const BenchTest& test);

/// Memory of this process: the most so far.
uint64_t peak_resident_bytes();

/// The processor's name for people, e.g. "AMD EPYC"; `otherwise` where the system does not tell.
std::string processor_name(const std::string& otherwise);

}  // namespace quern::cli
