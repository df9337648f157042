// Functions that every template knows: range, dict, namespace, raise_exception, strftime_now.
#pragma once

#include <optional>
#include <string_view>

#include "lib/chat/work.h"

namespace quern::chat {

std::optional<uint32_t> find_function(std::string_view name);
Result<Value> call_function(Work& work, uint32_t number, const Arguments& arguments);

/// C's strftime in the C locale; an unknown conversion stays as it is.
std::string format_time(std::string_view format, const LocalTime& time);

}  // namespace quern::chat
