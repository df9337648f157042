// Routes: which handler answers which path, and how: the one list of what the server serves.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "examples/server/api/handlers.h"

namespace quern::server {

using Handler = void (*)(const std::shared_ptr<Call>&);

struct Route {
  const char* method;
  const char* path;  ///< A final '*' stands for at least one more character.
  Handler handler;
  ErrorStyle style;
  bool is_public = false;  ///< Needs no API key.
  bool at_once = false;    ///< Takes microseconds and waits for nothing: answered on the connections' thread.
};

std::span<const Route> routes();

/// The route of a request; null if there is none. `path_known`: another method would have been right.
const Route* find_route(std::string_view method, std::string_view path, bool& path_known);
/// How errors look at a path, also where no route is.
ErrorStyle style_of(std::string_view path);
/// The methods of a path, "GET, POST".
std::string methods_of(std::string_view path);

}  // namespace quern::server
