// The saved form of a sequence: its tokens, then the state of its cache (lib/context/state.h). Little endian:
//   char[8] "QUERNTOK"; u64 n_tokens; i32 tokens[n_tokens]; u64 checksum of the tokens; the state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/status.h"

namespace quern::engine {

std::vector<std::byte> join_sequence(std::span<const int32_t> tokens, std::span<const std::byte> state);

struct SplitSequence {
  std::vector<int32_t> tokens;
  std::span<const std::byte> state;  ///< part of the bytes that were split
};

/// Errc::format if the head is malformed or damaged, or a token is outside 0 ... n_vocab-1.
Result<SplitSequence> split_sequence(std::span<const std::byte> bytes, uint32_t n_vocab);

}  // namespace quern::engine
