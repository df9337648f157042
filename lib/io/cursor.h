// A position in bytes that only moves forward and never past the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace quern::io {

/// The number stored little-endian, at any alignment, at `bytes`.
template <class T>
T load(const std::byte* bytes) {
  static_assert(std::is_trivially_copyable_v<T>);
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the formats that Quern reads are little-endian");
  T out;
  std::memcpy(&out, bytes, sizeof out);
  return out;
}

class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  uint64_t position() const { return position_; }
  uint64_t remaining() const { return bytes_.size() - position_; }

  /// The next n bytes, which the cursor passes. n must be <= remaining().
  std::span<const std::byte> take(uint64_t n) {
    const auto out = bytes_.subspan(position_, n);
    position_ += n;
    return out;
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t position_ = 0;  // <= bytes_.size()
};

}  // namespace quern::io
