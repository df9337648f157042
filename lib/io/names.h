// Names that come from a file: which ones are allowed, and how they are shown in messages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/status.h"

namespace quern::io {

/// The text in single quotes for a message: control characters, bytes outside ASCII, quotes and backslashes as escapes
/// (a file must not steer the terminal or forge log lines), and cut with "..." after 100 bytes.
std::string quoted(std::string_view text);

/// True for well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// What is wrong with a key or tensor name: nullptr where it is non-empty, at most max_bytes long, without NUL (others
/// would see only the part before it) and UTF-8.
const char* name_fault(std::string_view name, uint64_t max_bytes);

/// The numbers that a name has in the places of a pattern's "{}", of which there are at most two; nullopt for another
/// name.
struct NameNumbers {
  uint32_t first = 0, second = 0;
};
std::optional<NameNumbers> numbers_in(std::string_view pattern, std::string_view name);

}  // namespace quern::io
