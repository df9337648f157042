// JSON text to values. (Values to JSON text: print.h.)
#pragma once

#include <string_view>

#include "lib/chat/value.h"

namespace quern::chat {

/// Strict JSON; the order of keys is kept. Integers that do not fit in 64 bits become reals. Nested deeper than
/// kMaxValueDepth: an error.
Result<Value> parse_json(std::string_view text);

}  // namespace quern::chat
