// UTF-8 as RFC 3629 defines it: no surrogates, nothing above U+10FFFF, shortest forms only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace quern::text {

/// What stands at the front of a byte string.
struct Utf8Step {
  enum class Kind : uint8_t {
    valid,       ///< a character of `size` bytes
    incomplete,  ///< the string ends inside a character that more bytes could complete
    invalid,     ///< `size` bytes that no continuation makes valid (the maximal invalid part, Unicode 3.9)
  };
  Kind kind;
  size_t size;         ///< 1..4
  uint32_t codepoint;  ///< for valid
};

/// Reads one character; `bytes` must not be empty.
inline Utf8Step read_utf8(std::string_view bytes) {
  using Kind = Utf8Step::Kind;
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t lead = at(0);
  if (lead < 0x80) return {Kind::valid, 1, lead};
  if (lead < 0xC2 || lead > 0xF4) return {Kind::invalid, 1, 0};
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range rules out overlong forms, surrogates and values above U+10FFFF.
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  uint32_t codepoint = lead & (size == 2 ? 0x1Fu : size == 3 ? 0x0Fu : 0x07u);
  for (size_t i = 1; i < size; ++i) {
    if (i == bytes.size()) return {Kind::incomplete, i, 0};
    const uint8_t byte = at(i);
    if (byte < (i == 1 ? low : 0x80) || byte > (i == 1 ? high : 0xBF)) return {Kind::invalid, i, 0};
    codepoint = codepoint << 6 | (byte & 0x3Fu);
  }
  return {Kind::valid, size, codepoint};
}

/// Appends a code point of at most U+10FFFF.
inline void append_utf8(std::string& out, uint32_t codepoint) {
  const auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  const auto put_rest = [&](uint32_t shift) { put(0x80 | (codepoint >> shift & 0x3F)); };
  if (codepoint < 0x80) {
    put(codepoint);
  } else if (codepoint < 0x800) {
    put(0xC0 | codepoint >> 6), put_rest(0);
  } else if (codepoint < 0x10000) {
    put(0xE0 | codepoint >> 12), put_rest(6), put_rest(0);
  } else {
    put(0xF0 | codepoint >> 18), put_rest(12), put_rest(6), put_rest(0);
  }
}

}  // namespace quern::text
