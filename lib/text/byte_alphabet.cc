#include "lib/text/byte_alphabet.h"

#include <array>

#include "lib/text/utf8.h"

namespace quern::text {
namespace {

constexpr uint32_t kEnd = 256 + 68;  // one past the highest code point of the alphabet

struct Alphabet {
  std::array<char[2], 256> utf8{};
  std::array<uint8_t, 256> size{};
  std::array<int16_t, kEnd> byte{};  // by code point; -1: not in the alphabet
};

constexpr Alphabet make_alphabet() {
  Alphabet a;
  for (auto& b : a.byte) b = -1;
  uint32_t next = 256;
  for (uint32_t b = 0; b < 256; ++b) {
    const bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    const uint32_t c = itself ? b : next++;
    a.byte[c] = static_cast<int16_t>(b);
    a.size[b] = c < 0x80 ? 1 : 2;
    a.utf8[b][0] = static_cast<char>(c < 0x80 ? c : 0xC0 | c >> 6);
    a.utf8[b][1] = static_cast<char>(0x80 | (c & 0x3F));
  }
  return a;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

std::string_view byte_to_alphabet(uint8_t byte) { return {kAlphabet.utf8[byte], kAlphabet.size[byte]}; }

std::string alphabet_to_bytes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Step step = read_utf8(text);
    const bool known =
        step.kind == Utf8Step::Kind::valid && step.codepoint < kEnd && kAlphabet.byte[step.codepoint] >= 0;
    if (known) {
      out.push_back(static_cast<char>(kAlphabet.byte[step.codepoint]));
    } else {
      out.append(text.substr(0, step.size));
    }
    text.remove_prefix(step.size);
  }
  return out;
}

}  // namespace quern::text
