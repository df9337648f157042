// JSON values as text.
#pragma once

#include <string>
#include <string_view>

#include "lib/io/json.h"

namespace quern::io {

/// The value with `indent` blanks per level, or on one line where that is 0. Numbers keep their kind: 1.0 stays a real.
/// Strings are UTF-8.
std::string json_text(const Json& value, int indent = 0);

/// One string with its quotes and escapes.
std::string json_string(std::string_view text);

}  // namespace quern::io
