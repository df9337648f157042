// Request targets: path and query, percent-decoded.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace quern::server {

struct Target {
  std::string path;
  std::map<std::string, std::string> query;
};

/// Of "/path?name=value&..." or "http://host/path". Nothing for what is malformed: no leading slash, a broken escape, a
/// NUL byte.
std::optional<Target> parse_target(std::string_view target);

}  // namespace quern::server
