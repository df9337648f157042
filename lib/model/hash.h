// FNV-1a over 64-bit words: a checksum and fingerprint against accidents, not against intent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace quern::model {

class Hash {
 public:
  void number(uint64_t n) {
    value_ = (value_ ^ n) * 0x100000001B3u;
    value_ ^= value_ >> 32;
  }
  void bytes(std::span<const std::byte> bytes) {
    number(bytes.size());
    size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
      uint64_t word;
      std::memcpy(&word, bytes.data() + i, 8);
      number(word);
    }
    for (; i < bytes.size(); ++i) number(static_cast<uint64_t>(bytes[i]));
  }
  void text(std::string_view text) { bytes(std::as_bytes(std::span(text))); }
  template <class T>
  void object(const T& object) {
    bytes(std::as_bytes(std::span(&object, 1)));
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xCBF29CE484222325u;
};

}  // namespace quern::model
