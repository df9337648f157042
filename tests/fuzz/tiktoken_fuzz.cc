// Any bytes as a rank file: refused or read, and what was read is consistent. The vocabulary is that of a made-up
// published file, because none that is real is small.
#include <cstdint>
#include <span>

#include "lib/io/tiktoken.h"
#include "tests/fuzz/tokenizer_parts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace quern::io;
  static constexpr KnownRanks::Special kSpecials[] = {{9, "<|end|>"}};
  static constexpr KnownRanks::Reserved kReserved[] = {{11, 3, "<|reserved_", "|>", 0}};
  static constexpr KnownRanks kKnown[] = {{3, "three", "gpt-2", kSpecials, kReserved, "", "<|end|>", false, 16},
                                          {8, "eight", "llama-bpe", kSpecials, {}, "<|end|>", "", true, 16}};
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  looks_like_ranks(bytes);
  check_parts(parse_tiktoken(bytes, "fuzz.tiktoken", kKnown));
  return 0;
}
