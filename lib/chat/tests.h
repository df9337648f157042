// Tests: {{ value is name(arguments) }}.
#pragma once

#include <optional>
#include <string_view>

#include "lib/chat/work.h"

namespace quern::chat {

std::optional<uint32_t> find_test(std::string_view name);
Result<bool> call_test(Work& work, uint32_t number, const Value& input, const Arguments& arguments);

}  // namespace quern::chat
