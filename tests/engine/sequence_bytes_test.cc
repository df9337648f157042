#include "lib/engine/sequence_bytes.h"

#include <doctest/doctest.h>

using namespace quern::engine;

TEST_CASE("tokens and state come back") {
  const std::vector<int32_t> tokens = {1, 5, 0, 99};
  const std::vector<std::byte> state(13, std::byte{7});
  const auto bytes = join_sequence(tokens, state);
  const auto parts = split_sequence(bytes, 100);
  REQUIRE(parts);
  CHECK(parts->tokens == tokens);
  CHECK(std::vector<std::byte>(parts->state.begin(), parts->state.end()) == state);
  CHECK_FALSE(split_sequence(bytes, 99));  // a token outside the vocabulary
  const auto empty = split_sequence(join_sequence({}, {}), 1);
  REQUIRE(empty);
  CHECK(empty->tokens.empty());
}

TEST_CASE("cut or changed heads are refused") {
  const std::vector<int32_t> tokens = {1, 5, 0, 99};
  const auto bytes = join_sequence(tokens, {});
  for (size_t n = 0; n < bytes.size(); ++n) {
    CAPTURE(n);
    CHECK_FALSE(split_sequence({bytes.data(), n}, 100));
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    auto changed = bytes;
    changed[i] ^= std::byte{1};
    CAPTURE(i);
    CHECK_FALSE(split_sequence(changed, 100));
  }
}
