// Filters: {{ value | name(arguments) }}. Those on text are in filters_text.cc, those on sequences in
// filters_sequence.cc.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "lib/chat/work.h"

namespace quern::chat {

struct FilterInfo {
  std::string_view name;
  Result<Value> (*apply)(Work&, const Value& input, const Arguments&);
};
std::span<const FilterInfo> text_filters();
std::span<const FilterInfo> sequence_filters();

std::optional<uint32_t> find_filter(std::string_view name);
Result<Value> call_filter(Work& work, uint32_t number, const Value& input, const Arguments& arguments);

/// An integer argument, or `fallback` where it is not given; an error for another kind.
Result<int64_t> integer_or(std::string_view what, const Value& value, int64_t fallback);

}  // namespace quern::chat
