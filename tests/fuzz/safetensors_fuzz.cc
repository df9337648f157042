// Any bytes as a safetensors file: refused or read, and what was read tiles the bytes behind the header.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <span>

#include "lib/io/safetensors.h"

using namespace quern;
using namespace quern::io;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void check_arrays(const SafeTensors& arrays, std::span<const std::byte> data) {
  std::map<size_t, size_t> lengths;  // of the arrays that are not empty, by where they begin
  for (const SafeTensor& entry : arrays.entries()) {
    require(arrays.find(entry.name) == &entry);
    require(entry.bytes.size() * 8 == entry.elements() * safe_type_bits(entry.type));
    require(entry.bytes.data() >= data.data() && entry.bytes.size() <= data.size());
    const auto begin = static_cast<size_t>(entry.bytes.data() - data.data());
    require(begin <= data.size() - entry.bytes.size());
    if (!entry.bytes.empty()) require(lengths.emplace(begin, entry.bytes.size()).second);
  }
  size_t expected = 0;
  for (const auto& [begin, length] : lengths) {
    require(begin == expected);
    expected += length;
  }
  require(expected == data.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto arrays = parse_safetensors(bytes, "fuzz.safetensors");
  if (!arrays) {
    require(!arrays.error().message.empty());
    return 0;
  }
  uint64_t header = 0;
  require(size >= sizeof header);
  std::memcpy(&header, data, sizeof header);
  check_arrays(*arrays, bytes.subspan(sizeof header + header));
  return 0;
}
