// Makes the bytes of GGUF files, right or wrong in any place: what the writer would never write.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/io/gguf.h"
#include "lib/io/gguf_writer.h"

namespace quern::io::test {

/// A growing byte string; every call appends.
class RawGguf {
 public:
  template <class T>
  RawGguf& number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  RawGguf& bytes(std::string_view text) {
    bytes_.append(text);
    return *this;
  }
  RawGguf& text(std::string_view text) { return number<uint64_t>(text.size()).bytes(text); }
  RawGguf& header(uint64_t n_tensors, uint64_t n_keys, uint32_t version = 3) {
    return bytes("GGUF").number(version).number(n_tensors).number(n_keys);
  }
  RawGguf& key(std::string_view name, ValueType type) { return text(name).number(type); }
  RawGguf& array(std::string_view name, ValueType type, uint64_t count) {
    return key(name, ValueType::array).number(type).number(count);
  }
  RawGguf& tensor(std::string_view name, const std::vector<uint64_t>& extents, uint32_t type, uint64_t offset) {
    text(name).number(static_cast<uint32_t>(extents.size()));
    for (const uint64_t extent : extents) number(extent);
    return number(type).number(offset);
  }
  RawGguf& pad(size_t alignment = 32) {
    while (bytes_.size() % alignment != 0) bytes_.push_back('\0');
    return *this;
  }
  RawGguf& data(size_t n) {
    bytes_.append(n, 'Z');
    return *this;
  }

  size_t size() const { return bytes_.size(); }
  std::span<const std::byte> view() const { return std::as_bytes(std::span(bytes_)); }
  Result<GgufContents> parse(const GgufLimits& limits = {}) const { return parse_gguf(view(), "m.gguf", 0, limits); }
  /// The message of the error that parsing gives, "" where it succeeds.
  std::string error(const GgufLimits& limits = {}) const {
    const auto parsed = parse(limits);
    return parsed ? "" : parsed.error().message;
  }

 private:
  std::string bytes_;
};

inline std::vector<std::byte> to_bytes(const GgufWriter& writer) {
  std::vector<std::byte> out;
  const auto status = writer.write([&](std::span<const std::byte> piece) -> Status {
    out.insert(out.end(), piece.begin(), piece.end());
    return {};
  });
  status.value();
  return out;
}

/// A folder of its own, removed with all it holds.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "quern_test_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  std::string write(std::string_view name, std::span<const std::byte> bytes) const {
    const std::string path = *this / name;
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path;
  }
  size_t n_files() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {})); }

 private:
  std::string path_;
};

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace quern::io::test
