#include "lib/chat/filters.h"

namespace quern::chat {

std::optional<uint32_t> find_filter(std::string_view name) {
  uint32_t number = 0;
  for (const auto list : {text_filters(), sequence_filters()}) {
    for (const FilterInfo& info : list) {
      if (info.name == name) return number;
      ++number;
    }
  }
  return std::nullopt;
}

Result<Value> call_filter(Work& work, uint32_t number, const Value& input, const Arguments& arguments) {
  const auto text = text_filters();
  const FilterInfo& info = number < text.size() ? text[number] : sequence_filters()[number - text.size()];
  return info.apply(work, input, arguments);
}

Result<int64_t> integer_or(std::string_view what, const Value& value, int64_t fallback) {
  if (value.is_undefined() || value.is_none()) return fallback;
  QUERN_ENSURE(value.is_integral(), Errc::format, what, " is an integer, found ", value.type_name());
  return value.as_integer();
}

}  // namespace quern::chat
