#include "examples/cli/stored_text.h"

#include <ctime>

namespace quern::cli {

std::string time_text(int64_t ns) {
  int64_t seconds = ns / 1'000'000'000, rest = ns % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts = {};
  gmtime_r(&time, &parts);
  char text[32] = "";
  const size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string digits = std::to_string(rest);
  digits.insert(0, 9 - digits.size(), '0');
  return std::string(text, n) + "." + digits + "Z";
}

nlohmann::ordered_json details_json(const store::Details& details) {
  return {{"parent_model", details.parent_model},
          {"format", details.format},
          {"family", details.family},
          {"families", details.families},
          {"parameter_size", details.parameter_size},
          {"quantization_level", details.quantization_level}};
}

nlohmann::ordered_json entry_json(const store::Entry& entry) {
  const std::string name = entry.name.text();
  return {{"name", name},
          {"model", name},
          {"modified_at", time_text(entry.modified_ns)},
          {"size", entry.size_bytes},
          {"digest", entry.digest},
          {"details", details_json(entry.details)}};
}

}  // namespace quern::cli
