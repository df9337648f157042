// Characters of UTF-8 text, as Python's str sees them. Bytes that are not UTF-8 count as one character each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern::chat {

/// Bytes of the character at the front; `text` must not be empty.
size_t char_size(std::string_view text);
/// Code point of the character at the front, or 0xFFFD where it is not UTF-8.
uint32_t char_at(std::string_view text);
size_t count_chars(std::string_view text);
/// Where each character starts, and the end: count + 1 offsets.
std::vector<size_t> char_offsets(std::string_view text);
void append_char(std::string& out, uint32_t codepoint);

/// str.isspace() of one character.
bool is_space(uint32_t codepoint);
/// False for what repr() escapes: controls, separators, unassigned planes.
bool is_printable(uint32_t codepoint);
/// Letters of the cased scripts below and, of the rest, everything above ASCII that is neither space nor punctuation.
bool is_letter(uint32_t codepoint);

// Case is known for Latin, Greek, Cyrillic, Armenian and full-width letters: those whose mapping is one to one, and
// sharp s.
uint32_t lower_char(uint32_t codepoint);
uint32_t upper_char(uint32_t codepoint);
std::string lower(std::string_view text);
std::string upper(std::string_view text);
std::string capitalize(std::string_view text);
/// str.title(): a letter after a non-letter is raised, others are lowered.
std::string title(std::string_view text);

enum class Strip : uint8_t { left = 1, right = 2, both = 3 };
/// Without the characters of `set` at its ends; white space where `set` is null.
std::string_view strip(std::string_view text, Strip sides, const std::string_view* set = nullptr);

}  // namespace quern::chat
