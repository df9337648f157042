#include "examples/server/metrics.h"

#include <algorithm>
#include <cstdio>

namespace quern::server {
namespace {

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.10g", value);
  return text;
}

/// Prometheus' text exposition format, version 0.0.4.
class Page {
 public:
  void metric(const std::string& name, const char* type, const char* help, double value) {
    head(name, type, help);
    line(name, value);
  }
  void head(const std::string& name, const char* type, const char* help) {
    text_ += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
  }
  void line(const std::string& name, double value) { text_ += name + " " + number(value) + "\n"; }
  std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

double rate(double n, double seconds) { return seconds > 0 ? n / seconds : 0; }

}  // namespace

void Histogram::add(double seconds) {
  const auto at = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
  ++counts[static_cast<size_t>(at)];
  sum += seconds;
  ++n;
}

void Metrics::count_request(const std::string& route, unsigned status) {
  const std::lock_guard lock(mutex_);
  ++requests_[{route, status}];
}

void Metrics::count_generation(const GenerateTimings& timings) {
  const std::lock_guard lock(mutex_);
  n_prompt_ += timings.n_prompt;
  n_cached_ += timings.n_cached;
  n_generated_ += timings.n_generated;
  prompt_seconds_ += timings.prompt_seconds;
  generate_seconds_ += timings.generate_seconds;
}

void Metrics::count_first_token(double seconds) {
  const std::lock_guard lock(mutex_);
  first_token_.add(seconds);
}

void Metrics::count_embedded(uint64_t n_tokens) {
  const std::lock_guard lock(mutex_);
  n_embedded_ += n_tokens;
}

std::string Metrics::text(const std::vector<SchedulerStats>& now, size_t n_connections) const {
  double running = 0, queued = 0, steps = 0, used = 0, room = 0;
  for (const auto& stats : now) {
    running += stats.n_running;
    queued += stats.n_queued;
    steps += static_cast<double>(stats.n_steps);
    used += stats.n_used;
    room += stats.n_ctx;
  }
  Page page;
  const std::lock_guard lock(mutex_);
  const auto n_prompt = static_cast<double>(n_prompt_), n_generated = static_cast<double>(n_generated_);
  // llama-server's names, so that its dashboards work.
  page.metric("llamacpp:prompt_tokens_total", "counter", "Prompt tokens computed.", n_prompt);
  page.metric("llamacpp:prompt_seconds_total", "counter", "Seconds spent on prompts.", prompt_seconds_);
  page.metric("llamacpp:tokens_predicted_total", "counter", "Tokens generated.", n_generated);
  page.metric("llamacpp:tokens_predicted_seconds_total", "counter", "Seconds spent on answers.", generate_seconds_);
  page.metric("llamacpp:n_decode_total", "counter", "Passes of the loaded models.", steps);
  page.metric("llamacpp:prompt_tokens_seconds", "gauge", "Prompt tokens a second, on average.",
              rate(n_prompt, prompt_seconds_));
  page.metric("llamacpp:predicted_tokens_seconds", "gauge", "Tokens of an answer a second, on average.",
              rate(n_generated, generate_seconds_));
  page.metric("llamacpp:requests_processing", "gauge", "Generations in progress.", running);
  page.metric("llamacpp:requests_deferred", "gauge", "Generations that wait.", queued);
  page.metric("llamacpp:kv_cache_tokens", "gauge", "Tokens in the caches.", used);
  page.metric("llamacpp:kv_cache_usage_ratio", "gauge", "Share of the caches in use, 1 is all.", rate(used, room));
  page.metric("quern_prompt_tokens_cached_total", "counter", "Prompt tokens that were found in a cache.",
              static_cast<double>(n_cached_));
  page.metric("quern_embedded_tokens_total", "counter", "Tokens of texts that were embedded.",
              static_cast<double>(n_embedded_));
  page.metric("quern_connections", "gauge", "Open connections.", static_cast<double>(n_connections));
  page.head("quern_http_requests_total", "counter", "Requests answered.");
  for (const auto& [key, n] : requests_)
    page.line("quern_http_requests_total{path=\"" + key.first + "\",status=\"" + std::to_string(key.second) + "\"}",
              static_cast<double>(n));
  const std::string name = "quern_time_to_first_token_seconds";
  page.head(name, "histogram", "From a request's arrival to its first token.");
  uint64_t below = 0;
  for (size_t i = 0; i < Histogram::kBounds.size(); ++i) {
    below += first_token_.counts[i];
    page.line(name + "_bucket{le=\"" + number(Histogram::kBounds[i]) + "\"}", static_cast<double>(below));
  }
  page.line(name + "_bucket{le=\"+Inf\"}", static_cast<double>(first_token_.n));
  page.line(name + "_sum", first_token_.sum);
  page.line(name + "_count", static_cast<double>(first_token_.n));
  return std::move(page).text();
}

}  // namespace quern::server
