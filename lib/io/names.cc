#include "lib/io/names.h"

namespace quern::io {

std::string quoted(std::string_view text) {
  constexpr size_t kMaxShown = 100;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "'";
  for (const char c : text.substr(0, kMaxShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7F) {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
      continue;
    }
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  if (text.size() > kMaxShown) out += "...";
  return out + "'";
}

bool is_utf8(std::string_view text) {
  size_t i = 0;
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(text[at]); };
  while (i < text.size()) {
    const unsigned char lead = byte(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() - i < length) return false;
    // The second byte decides overlong forms (E0, F0), surrogates (ED) and the end of Unicode (F4).
    const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (byte(i + 1) < low || byte(i + 1) > high) return false;
    for (size_t k = 2; k < length; ++k)
      if ((byte(i + k) & 0xC0) != 0x80) return false;
    i += length;
  }
  return true;
}

const char* name_fault(std::string_view name, uint64_t max_bytes) {
  if (name.empty()) return "is empty";
  if (name.size() > max_bytes) return "is too long";
  if (name.find('\0') != std::string_view::npos) return "contains a NUL character";
  if (!is_utf8(name)) return "is not valid UTF-8";
  return nullptr;
}

std::optional<NameNumbers> numbers_in(std::string_view pattern, std::string_view name) {
  constexpr size_t kMaxDigits = 9;
  uint32_t numbers[2] = {0, 0};
  for (size_t n = 0;; ++n) {
    const size_t place = pattern.find("{}");
    if (place == std::string_view::npos) {
      if (pattern != name) return std::nullopt;
      return NameNumbers{numbers[0], numbers[1]};
    }
    if (n == 2 || name.substr(0, place) != pattern.substr(0, place)) return std::nullopt;
    pattern.remove_prefix(place + 2);
    name.remove_prefix(place);
    size_t n_digits = 0;
    while (n_digits < name.size() && name[n_digits] >= '0' && name[n_digits] <= '9') {
      if (n_digits == kMaxDigits || (n_digits == 1 && name[0] == '0')) return std::nullopt;
      numbers[n] = numbers[n] * 10 + static_cast<uint32_t>(name[n_digits++] - '0');
    }
    if (n_digits == 0) return std::nullopt;
    name.remove_prefix(n_digits);
  }
}

}  // namespace quern::io
