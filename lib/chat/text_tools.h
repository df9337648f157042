// Operations on text that methods and filters share. Each takes its steps and memory beforehand.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/chat/work.h"

namespace quern::chat {

// Like string_view's, but in linear time whatever the texts are.
size_t find_text(std::string_view text, std::string_view wanted);
size_t rfind_text(std::string_view text, std::string_view wanted);

// At most n cuts each.
std::vector<std::string_view> split(std::string_view text, std::string_view separator, uint64_t n);
std::vector<std::string_view> rsplit(std::string_view text, std::string_view separator, uint64_t n);
/// At runs of white space; none at the ends.
std::vector<std::string_view> split_spaces(std::string_view text, uint64_t n);
std::vector<std::string_view> rsplit_spaces(std::string_view text, uint64_t n);
/// str.splitlines(), at \n, \r, \r\n and Python's other line boundaries.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

Result<Value> string_list(Work& work, const std::vector<std::string_view>& parts);
/// At most `most` replacements; all where it is negative. An empty `old` stands between all characters.
Result<std::string> replace_text(Work& work, std::string_view text, std::string_view old, std::string_view fresh,
                                 int64_t most);
/// Filled up to `width` characters; align is '<', '>' or '^'.
Result<std::string> justified(Work& work, std::string_view text, int64_t width, std::string_view fill, char align);
std::string escape_html(std::string_view text);
/// Text with the characters that mean something in HTML replaced; a safe string as it is.
Result<std::string> escaped(Work& work, const Value& text);
/// The string, or the strings of a list, marked as safe.
Result<Value> mark_safe(Work& work, const Value& value);
/// The pairs of a dict as a list of tuples.
Result<Value> object_items(Work& work, const Value::Object& object);

}  // namespace quern::chat
