// Methods of str, list, dict and of the variable 'loop'.
#pragma once

#include <optional>
#include <string_view>

#include "lib/chat/work.h"

namespace quern::chat {

/// The number of the method of that name of values of that kind, or nothing.
std::optional<uint32_t> find_method(Value::Kind kind, std::string_view name);
std::string_view method_name(uint32_t number);
Result<Value> call_method(Work& work, const Value::Method& method, const Arguments& arguments);

}  // namespace quern::chat
