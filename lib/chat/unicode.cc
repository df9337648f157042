#include "lib/chat/unicode.h"

#include "lib/text/utf8.h"

namespace quern::chat {

namespace {

struct CaseRange {
  uint32_t first_lower, last_lower;
  int32_t to_upper;
};

// Ranges whose letters are at a fixed distance from their partners (Unicode, UnicodeData.txt).
constexpr CaseRange kShifted[] = {
    {'a', 'z', -32},     {0xE0, 0xF6, -32},   {0xF8, 0xFE, -32},   {0xFF, 0xFF, 121},     {0x3AC, 0x3AC, -38},
    {0x3AD, 0x3AF, -37}, {0x3B1, 0x3C1, -32}, {0x3C3, 0x3CB, -32}, {0x3CC, 0x3CC, -64},   {0x3CD, 0x3CE, -63},
    {0x430, 0x44F, -32}, {0x450, 0x45F, -80}, {0x561, 0x586, -48}, {0xFF41, 0xFF5A, -32},
};

// Ranges of pairs, upper then lower.
constexpr struct {
  uint32_t first, last;
} kPairs[] = {{0x100, 0x12F}, {0x132, 0x137}, {0x139, 0x148},   {0x14A, 0x177},  {0x179, 0x17E}, {0x1CD, 0x1DC},
              {0x1DE, 0x1EF}, {0x1F8, 0x21F}, {0x222, 0x233},   {0x3D8, 0x3EF},  {0x460, 0x481}, {0x48A, 0x4BF},
              {0x4C1, 0x4CE}, {0x4D0, 0x52F}, {0x1E00, 0x1E95}, {0x1EA0, 0x1EFF}};

template <class Map>
std::string map_chars(std::string_view text, Map&& map) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const text::Utf8Step step = text::read_utf8(text);
    if (step.kind == text::Utf8Step::Kind::valid) {
      map(out, step.codepoint);
    } else {
      out.append(text.substr(0, step.size));
    }
    text.remove_prefix(step.size);
  }
  return out;
}

void append_upper(std::string& out, uint32_t c) {
  if (c == 0xDF) {
    out.append("SS");
  } else {
    append_char(out, upper_char(c));
  }
}

void append_title(std::string& out, uint32_t c) {
  if (c == 0xDF) {
    out.append("Ss");
  } else {
    append_char(out, upper_char(c));
  }
}

bool within(uint32_t c, std::string_view set) {
  while (!set.empty()) {
    if (char_at(set) == c) return true;
    set.remove_prefix(char_size(set));
  }
  return false;
}

}  // namespace

size_t char_size(std::string_view text) {
  const text::Utf8Step step = text::read_utf8(text);
  return step.kind == text::Utf8Step::Kind::valid ? step.size : 1;
}

uint32_t char_at(std::string_view text) {
  const text::Utf8Step step = text::read_utf8(text);
  return step.kind == text::Utf8Step::Kind::valid ? step.codepoint : 0xFFFD;
}

size_t count_chars(std::string_view text) {
  size_t n = 0;
  for (; !text.empty(); ++n) text.remove_prefix(char_size(text));
  return n;
}

std::vector<size_t> char_offsets(std::string_view text) {
  std::vector<size_t> out;
  out.reserve(text.size() + 1);
  for (size_t at = 0; at < text.size(); at += char_size(text.substr(at))) out.push_back(at);
  out.push_back(text.size());
  return out;
}

void append_char(std::string& out, uint32_t c) { text::append_utf8(out, c); }

bool is_space(uint32_t c) {
  return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_printable(uint32_t c) {
  if (c < 0x7F) return c >= 32;
  if (c <= 0xA0 || c == 0xAD || is_space(c)) return false;
  if ((c >= 0x600 && c <= 0x605) || c == 0x61C || c == 0x6DD || c == 0x70F || c == 0x180E) return false;
  if ((c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F)) return false;
  if ((c >= 0xD800 && c <= 0xF8FF) || c == 0xFEFF || (c >= 0xFFF0 && c <= 0xFFFB)) return false;
  return c < 0xE0000 && (c & 0xFFFE) != 0xFFFE;
}

bool is_letter(uint32_t c) {
  if (c < 0x80) return (c | 32) >= 'a' && (c | 32) <= 'z';
  if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA;
  if (c == 0xD7 || c == 0xF7 || is_space(c) || !is_printable(c)) return false;
  // Combining marks, general punctuation to dingbats, CJK punctuation, symbols and pictographs.
  return !(c >= 0x300 && c <= 0x36F) && !(c >= 0x2000 && c <= 0x2BFF) && !(c >= 0x3000 && c <= 0x3004) &&
         !(c >= 0x3008 && c <= 0x3020) && !(c >= 0xFF00 && c <= 0xFF20) && !(c >= 0x1F000 && c <= 0x1FAFF);
}

uint32_t lower_char(uint32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c == 0x178) return 0xFF;
  if (c == 0x1E9E) return 0xDF;
  for (const CaseRange& r : kShifted) {
    const int64_t low = static_cast<int64_t>(c) - r.to_upper;
    if (low >= r.first_lower && low <= r.last_lower) return static_cast<uint32_t>(low);
  }
  for (const auto& [first, last] : kPairs) {
    if (c >= first && c <= last && ((c - first) & 1) == 0) return c == 0x130 ? 'i' : c + 1;
  }
  return c;
}

uint32_t upper_char(uint32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  if (c == 0xB5) return 0x39C;
  if (c == 0x131) return 'I';
  if (c == 0x17F) return 'S';
  if (c == 0x3C2) return 0x3A3;
  for (const CaseRange& r : kShifted) {
    if (c >= r.first_lower && c <= r.last_lower) return static_cast<uint32_t>(static_cast<int64_t>(c) + r.to_upper);
  }
  for (const auto& [first, last] : kPairs) {
    if (c >= first && c <= last && ((c - first) & 1) == 1) return c - 1;
  }
  return c;
}

std::string lower(std::string_view text) {
  return map_chars(text, [](std::string& out, uint32_t c) { append_char(out, lower_char(c)); });
}

std::string upper(std::string_view text) { return map_chars(text, append_upper); }

std::string capitalize(std::string_view text) {
  bool first = true;
  return map_chars(text, [&first](std::string& out, uint32_t c) {
    if (first) {
      append_title(out, c);
    } else {
      append_char(out, lower_char(c));
    }
    first = false;
  });
}

std::string title(std::string_view text) {
  bool inside = false;
  return map_chars(text, [&inside](std::string& out, uint32_t c) {
    if (inside) {
      append_char(out, lower_char(c));
    } else {
      append_title(out, c);
    }
    inside = is_letter(c);
  });
}

std::string_view strip(std::string_view text, Strip sides, const std::string_view* set) {
  const auto goes = [&](uint32_t c) { return set ? within(c, *set) : is_space(c); };
  const auto has = [&](Strip side) { return (static_cast<uint8_t>(sides) & static_cast<uint8_t>(side)) != 0; };
  while (has(Strip::left) && !text.empty() && goes(char_at(text))) text.remove_prefix(char_size(text));
  while (has(Strip::right) && !text.empty()) {
    size_t start = text.size() - 1;  // of the last character: back over at most three continuation bytes
    while (start > 0 && text.size() - start < 4 && (static_cast<uint8_t>(text[start]) & 0xC0) == 0x80) --start;
    if (char_size(text.substr(start)) != text.size() - start) start = text.size() - 1;
    if (!goes(char_at(text.substr(start)))) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

}  // namespace quern::chat
