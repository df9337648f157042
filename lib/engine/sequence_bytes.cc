#include "lib/engine/sequence_bytes.h"

#include <bit>
#include <cstring>

#include "lib/base/rng.h"

namespace quern::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "saved sequences are little endian");

constexpr char kMagic[8] = {'Q', 'U', 'E', 'R', 'N', 'T', 'O', 'K'};
constexpr size_t kHeadBytes = sizeof kMagic + sizeof(uint64_t);

uint64_t checksum(std::span<const int32_t> tokens) {
  uint64_t sum = base::mix64(tokens.size() + 1);
  for (const int32_t token : tokens) sum = base::mix64(sum ^ static_cast<uint32_t>(token)) + 1;
  return sum;
}

}  // namespace

std::vector<std::byte> join_sequence(std::span<const int32_t> tokens, std::span<const std::byte> state) {
  const uint64_t n = tokens.size(), sum = checksum(tokens);
  std::vector<std::byte> out(kHeadBytes + tokens.size_bytes() + sizeof sum + state.size());
  std::byte* at = out.data();
  const auto put = [&at](const void* from, size_t size) {
    if (size > 0) std::memcpy(at, from, size);
    at += size;
  };
  put(kMagic, sizeof kMagic);
  put(&n, sizeof n);
  put(tokens.data(), tokens.size_bytes());
  put(&sum, sizeof sum);
  put(state.data(), state.size());
  return out;
}

Result<SplitSequence> split_sequence(std::span<const std::byte> bytes, uint32_t n_vocab) {
  QUERN_ENSURE(bytes.size() >= kHeadBytes && std::memcmp(bytes.data(), kMagic, sizeof kMagic) == 0, Errc::format,
               "state: not a saved sequence");
  uint64_t n = 0, expected = 0;
  std::memcpy(&n, bytes.data() + sizeof kMagic, sizeof n);
  const size_t rest = bytes.size() - kHeadBytes;
  QUERN_ENSURE(rest >= sizeof expected && n <= (rest - sizeof expected) / sizeof(int32_t), Errc::format,
               "state: cut off: ", n, " tokens announced, ", rest, " bytes follow");
  SplitSequence out;
  out.tokens.resize(n);
  const std::byte* at = bytes.data() + kHeadBytes;
  if (n > 0) std::memcpy(out.tokens.data(), at, n * sizeof(int32_t));
  at += n * sizeof(int32_t);
  std::memcpy(&expected, at, sizeof expected);
  QUERN_ENSURE(expected == checksum(out.tokens), Errc::format, "state: damaged: the checksum of its tokens is wrong");
  for (const int32_t token : out.tokens) {
    QUERN_ENSURE(token >= 0 && static_cast<uint32_t>(token) < n_vocab, Errc::format, "state: token ", token,
                 " is outside the vocabulary of ", n_vocab);
  }
  out.state = bytes.subspan(static_cast<size_t>(at - bytes.data()) + sizeof expected);
  return out;
}

}  // namespace quern::engine
