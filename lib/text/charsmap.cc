#include "lib/text/charsmap.h"

#include <algorithm>

namespace quern::text {
namespace {

constexpr uint32_t kValueBit = uint32_t{1} << 31;
// Real maps replace at most a few characters at a time. The bound keeps a malformed array, in which a walk may go round
// in circles, from making the time quadratic.
constexpr size_t kMaxSourceBytes = 256;

uint32_t read_u32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  return value;
}

uint32_t offset_of(uint32_t unit) { return unit >> 10 << ((unit & (1u << 9)) >> 6); }
bool ends_string(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t label_of(uint32_t unit) { return unit & (kValueBit | 0xFF); }

}  // namespace

Result<Charsmap> Charsmap::parse(std::string_view blob, std::string_view where) {
  Charsmap map;
  if (blob.empty()) return map;
  QUERN_ENSURE(blob.size() >= 4, Errc::format, where, ": the character map has ", blob.size(),
               " bytes, at least 4 are needed");
  const uint32_t size = read_u32(blob);
  blob.remove_prefix(4);
  QUERN_ENSURE(size % 4 == 0 && size > 0 && size < blob.size(), Errc::format, where, ": the character map says that ",
               size, " of its ", blob.size(), " bytes are the array, expected a smaller multiple of 4");
  map.replacements_ = blob.substr(size);
  QUERN_ENSURE(map.replacements_.back() == '\0', Errc::format, where,
               ": the last replacement of the character map has no end");
  map.units_.reserve(size / 4);
  for (size_t i = 0; i < size; i += 4) {
    const uint32_t unit = read_u32(blob.substr(i, 4));
    QUERN_ENSURE((unit & kValueBit) == 0 || (unit & ~kValueBit) < map.replacements_.size(), Errc::format, where,
                 ": unit ", i / 4, " of the character map points to byte ", unit & ~kValueBit, " of ",
                 map.replacements_.size());
    map.units_.push_back(unit);
  }
  return map;
}

// A unit outside the array has no children, and a string whose value lies outside or is none has no replacement: arrays
// that go wrong there pass parse(), as telling them from unused units would mean to walk all strings.
Charsmap::Match Charsmap::longest(std::string_view text) const {
  Match best;
  if (units_.empty()) return best;
  size_t at = offset_of(units_[0]);
  for (size_t i = 0; i < std::min(text.size(), kMaxSourceBytes); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte == 0) break;  // no string holds NUL: its label is that of the values' units
    at ^= byte;
    if (at >= units_.size() || label_of(units_[at]) != byte) break;
    const uint32_t unit = units_[at];
    at ^= offset_of(unit);
    if (!ends_string(unit) || at >= units_.size() || (units_[at] & kValueBit) == 0) continue;
    best = {i + 1, std::string_view(replacements_.c_str() + (units_[at] & ~kValueBit))};
  }
  return best;
}

}  // namespace quern::text
