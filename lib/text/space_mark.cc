#include "lib/text/space_mark.h"

#include <algorithm>
#include <cstdint>

namespace quern::text {
namespace {

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size() / from.size() * std::max(from.size(), to.size()) / 2 + 8);
  for (size_t begin = 0;;) {
    const size_t found = text.find(from, begin);
    out.append(text.substr(begin, found - begin));
    if (found == std::string_view::npos) return out;
    out.append(to);
    begin = found + from.size();
  }
}

}  // namespace

std::string mark_spaces(std::string_view text) { return replace_all(text, " ", kSpaceMark); }
std::string unmark_spaces(std::string_view text) { return replace_all(text, kSpaceMark, " "); }

size_t announced_size(std::string_view text, size_t i) {
  const auto lead = static_cast<uint8_t>(text[i]);
  return std::min<size_t>(lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4, text.size() - i);
}

size_t segment_end(std::string_view text, size_t begin) {
  size_t i = begin;
  while (text.substr(i).starts_with(kSpaceMark)) i += kSpaceMark.size();
  return std::min(text.find(kSpaceMark, i), text.size());
}

}  // namespace quern::text
