#include "lib/text/utf8_repair.h"

#include <algorithm>

#include "lib/text/utf8.h"

namespace quern::text {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kPrivateUse = "\xEE\x80\x80";   // U+E000

struct Sequence {
  size_t size = 0;  // 0: no lead byte, or too few continuation bytes
  uint32_t codepoint = 0;
};

// A lead byte and as many continuation bytes as it announces, whatever code point they spell.
Sequence read_loosely(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return {1, lead};
  if (lead < 0xC0 || lead >= 0xF8) return {};
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < size) return {};
  uint32_t codepoint = lead & (0xFFu >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if ((byte & 0xC0) != 0x80) return {};
    codepoint = codepoint << 6 | (byte & 0x3Fu);
  }
  return {size, codepoint};
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    if (static_cast<uint8_t>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    const Utf8Step step = read_utf8(text.substr(i, 4));
    if (step.kind != Utf8Step::Kind::valid) return false;
    i += step.size;
  }
  return true;
}

size_t sequence_size(std::string_view text) { return read_loosely(text).size; }

RepairedText repair_utf8(std::string_view text) {
  RepairedText out;
  const auto add = [&](std::string_view bytes, std::string_view shape) {
    out.bytes.append(bytes);
    out.shape.append(shape);
  };
  for (size_t i = 0; i < text.size();) {
    const Sequence sequence = read_loosely(text.substr(i, 4));
    const std::string_view bytes = text.substr(i, std::max<size_t>(sequence.size, 1));
    i += bytes.size();
    if (sequence.size == 0) {
      add(kReplacement, kReplacement);
    } else if (sequence.codepoint > 0x10FFFF) {
      for (size_t n = 0; n < sequence.size; ++n) add(kReplacement, kReplacement);
    } else if (sequence.codepoint >= 0xD800 && sequence.codepoint < 0xE000 && sequence.size == 3) {
      add(bytes, kPrivateUse);
    } else {
      std::string shortest;
      append_utf8(shortest, sequence.codepoint);
      const bool surrogate = sequence.codepoint >= 0xD800 && sequence.codepoint < 0xE000;
      add(shortest, surrogate ? kPrivateUse : std::string_view(shortest));
    }
  }
  return out;
}

}  // namespace quern::text
