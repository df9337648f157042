// U+2581, how SentencePiece vocabularies write a space.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace quern::text {

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

/// A text with the mark for each space.
std::string mark_spaces(std::string_view text);
/// A text with a space for each mark.
std::string unmark_spaces(std::string_view text);

/// Bytes of the character that begins at i, as its first byte announces; 1 for a stray continuation byte. A broken
/// character may swallow what follows it, a mark too.
size_t announced_size(std::string_view text, size_t i);

/// Where the run of marks and other characters that starts at `begin` ends: before the next mark that follows
/// something else.
size_t segment_end(std::string_view text, size_t begin);

}  // namespace quern::text
