// Makes the bytes of safetensors files for tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"

namespace quern::hf::test {

class RawSafetensors {
 public:
  /// `shape` as JSON has it: "[2,3]".
  RawSafetensors& add(std::string_view name, std::string_view type, std::string_view shape, std::string_view bytes) {
    if (!header_.empty()) header_ += ",";
    header_ += cat("\"", name, "\":{\"dtype\":\"", type, "\",\"shape\":", shape, ",\"data_offsets\":[", data_.size(),
                   ",", data_.size() + bytes.size(), "]}");
    data_.append(bytes);
    return *this;
  }
  /// One number.
  RawSafetensors& add(std::string_view name, float value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    return add(name, "F32", "[]", {bytes, sizeof bytes});
  }
  std::string bytes() const {
    const std::string header = cat("{", header_, "}");
    const uint64_t size = header.size();
    std::string out(reinterpret_cast<const char*>(&size), sizeof size);
    return out + header + data_;
  }

 private:
  std::string header_, data_;
};

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace quern::hf::test
