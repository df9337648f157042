// Any bytes as a tokenizer.json: refused or read, and what was read is consistent.
#include <cstdint>
#include <span>

#include "lib/io/tokenizer_json.h"
#include "tests/fuzz/tokenizer_parts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quern::io;
  const auto json = parse_json(std::span(reinterpret_cast<const std::byte*>(data), size), "fuzz.json");
  if (!json) {
    require(!json.error().message.empty());
    return 0;
  }
  check_parts(parse_tokenizer_json(*json, "fuzz.json"));
  return 0;
}
