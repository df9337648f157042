#include <cmath>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "examples/server/hosts/hosts.h"

namespace quern::server {
namespace {

constexpr double kForEver = 100.0 * 365 * 86400;  // seconds
constexpr size_t kLongest = 32;                   // characters
constexpr std::pair<std::string_view, double> kUnits[] = {{"ms", 1e-3}, {"h", 3600}, {"m", 60}, {"s", 1}};

/// Takes a unit from the front; nothing if there is none.
std::optional<double> take_unit(std::string_view& text) {
  for (const auto& [unit, seconds] : kUnits) {
    if (text.substr(0, unit.size()) != unit) continue;
    text.remove_prefix(unit.size());
    return seconds;
  }
  return std::nullopt;
}

}  // namespace

std::optional<KeepAlive> parse_keep_alive(const std::string& text) {
  if (text.empty() || text.size() > kLongest) return std::nullopt;
  const bool negative = text[0] == '-';
  const std::string digits = text.substr(negative ? 1 : 0);
  std::string_view rest = digits;
  double seconds = 0;
  while (!rest.empty()) {
    if ((rest[0] < '0' || rest[0] > '9') && rest[0] != '.') return std::nullopt;
    const char* at = digits.c_str() + (digits.size() - rest.size());
    char* end = nullptr;
    const double n = std::strtod(at, &end);
    rest.remove_prefix(static_cast<size_t>(end - at));
    const auto unit = take_unit(rest);
    if (!unit && !rest.empty()) return std::nullopt;
    seconds += n * unit.value_or(1);
    if (!std::isfinite(seconds)) return std::nullopt;
  }
  if (digits.empty()) return std::nullopt;
  if (negative || seconds > kForEver) return KeepAlive(-1);
  return KeepAlive(static_cast<int64_t>(seconds * 1000));
}

}  // namespace quern::server
