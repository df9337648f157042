// Reading the vectors of tests/data/quant.
#pragma once

#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

/// The whole file, or nothing if there is none.
inline std::vector<std::byte> read_quant_data(const std::string& name) {
  std::ifstream file(std::string(QUERN_TEST_DATA_DIR "/quant/") + name, std::ios::binary);
  const std::vector<char> chars{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::byte> bytes(chars.size());
  if (!chars.empty()) std::memcpy(bytes.data(), chars.data(), chars.size());
  return bytes;
}
