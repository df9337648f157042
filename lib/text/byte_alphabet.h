// GPT-2's byte alphabet: each byte as a printable character, so that vocabularies of bytes can be text files.
//
// The bytes 33-126, 161-172 and 174-255 stand for themselves (as Latin-1 code points); the other 68, in ascending
// order, are U+0100, U+0101, ... A space is U+0120, a newline U+010A. Source: the GPT-2 release (OpenAI, 2019).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quern::text {

/// The alphabet's character for a byte, in UTF-8.
std::string_view byte_to_alphabet(uint8_t byte);

/// Text in the alphabet as the bytes it stands for. Characters outside the alphabet, and invalid UTF-8, stay as they
/// are.
std::string alphabet_to_bytes(std::string_view text);

}  // namespace quern::text
