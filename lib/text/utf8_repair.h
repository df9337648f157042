// Makes valid UTF-8 of any bytes, for the families that work on characters.
//
// What the repair does is what the reference engine's tokenizers do, so that ids agree on broken text too: a byte that
// begins no character becomes U+FFFD; a character spelled longer than it must be (0xC0 0x80) becomes its shortest
// form; a surrogate (U+D800 to U+DFFF) keeps its three bytes. Sequences above U+10FFFF become one U+FFFD for each byte.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace quern::text {

bool is_valid_utf8(std::string_view text);

/// Bytes of the lead byte in front and the continuation bytes that it announces, whatever code point they spell; 0
/// where there is no lead byte or too few others follow. `text` must not be empty.
size_t sequence_size(std::string_view text);

struct RepairedText {
  std::string bytes;  ///< the text, valid but for surrogates
  std::string shape;  ///< of the same length and valid: a private-use character in a surrogate's place
};
RepairedText repair_utf8(std::string_view text);

}  // namespace quern::text
