// Any bytes as a SentencePiece model: refused or read, and what was read is consistent.
#include <cstdint>
#include <span>

#include "lib/io/sentencepiece.h"
#include "tests/fuzz/tokenizer_parts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quern::io;
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  looks_like_sentencepiece(bytes);
  check_parts(parse_sentencepiece(bytes, "fuzz.model"));
  return 0;
}
