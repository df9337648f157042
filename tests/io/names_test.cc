// Numbers in names.
#include "lib/io/names.h"

#include <doctest/doctest.h>

using namespace quern::io;

TEST_CASE("numbers in the places of a pattern") {
  const auto first = [](const char* pattern, const char* name) {
    const auto numbers = numbers_in(pattern, name);
    return numbers ? static_cast<int64_t>(numbers->first) : -1;
  };
  CHECK(first("blk.{}.attn_q.weight", "blk.0.attn_q.weight") == 0);
  CHECK(first("blk.{}.attn_q.weight", "blk.999999999.attn_q.weight") == 999999999);
  CHECK(first("{}", "12") == 12);
  CHECK(first("output.weight", "output.weight") == 0);
  for (const char* other :
       {"blk..attn_q.weight", "blk.01.attn_q.weight", "blk.1234567890.attn_q.weight", "blk.-1.attn_q.weight",
        "blk.1.attn_k.weight", "blk.1.attn_q.weight2", "blk.1", "", "lk.1.attn_q.weight"}) {
    CAPTURE(std::string(other));
    CHECK(first("blk.{}.attn_q.weight", other) == -1);
  }
  const auto both = numbers_in("layers.{}.experts.{}.w1", "layers.7.experts.31.w1");
  REQUIRE(both.has_value());
  CHECK(both->first == 7);
  CHECK(both->second == 31);
  CHECK_FALSE(numbers_in("layers.{}.experts.{}.w1", "layers.7.experts.w1").has_value());
  CHECK_FALSE(numbers_in("{}.{}.{}", "1.2.3").has_value());
}
