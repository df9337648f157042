// Metrics: what /metrics tells, in Prometheus' text format.
#pragma once

#include <quern/generate.h>
#include <quern/scheduler.h>

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace quern::server {

/// A histogram of seconds.
struct Histogram {
  static constexpr std::array<double, 12> kBounds = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
  std::array<uint64_t, kBounds.size() + 1> counts{};
  double sum = 0;
  uint64_t n = 0;
  void add(double seconds);
};

/// Thread-safe.
class Metrics {
 public:
  void count_request(const std::string& route, unsigned status);
  void count_generation(const GenerateTimings& timings);
  void count_first_token(double seconds);
  void count_embedded(uint64_t n_tokens);

  /// All of it, with what is going on in the models now.
  std::string text(const std::vector<SchedulerStats>& now, size_t n_connections) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, unsigned>, uint64_t> requests_;
  uint64_t n_prompt_ = 0, n_cached_ = 0, n_generated_ = 0, n_embedded_ = 0;
  double prompt_seconds_ = 0, generate_seconds_ = 0;
  Histogram first_token_;
};

}  // namespace quern::server
