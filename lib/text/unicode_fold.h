// What uncased vocabularies make of a character: lower case, and the letter without its accents.
#pragma once

#include <cstdint>

namespace quern::text {

/// The lower-case partner; the character itself where it has none. Of a partner of several characters the first.
uint32_t lower_char(uint32_t codepoint);

/// The first character of the canonical decomposition (Unicode's NFD): U+00E9 is an e and an accent. The character
/// itself where it does not decompose.
uint32_t base_char(uint32_t codepoint);

}  // namespace quern::text
