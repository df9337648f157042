#include "lib/context/state.h"

#include <bit>
#include <cstring>
#include <new>
#include <optional>
#include <string>

#include "lib/base/checked.h"
#include "lib/model/hash.h"

namespace quern::context {

using compute::kKvBlockTokens;

namespace {

static_assert(std::endian::native == std::endian::little, "states are written as they lie in memory");

constexpr char kMagic[8] = {'Q', 'U', 'E', 'R', 'N', 'S', 'E', 'Q'};
constexpr uint32_t kVersion = 1;

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t block_tokens;
  uint64_t fingerprint;
  uint64_t block_bytes;
  uint32_t n_cells;
  uint32_t layout_bytes;
};
static_assert(sizeof(Header) == 40);

uint64_t n_blocks_of(uint64_t n_cells) { return (n_cells + kKvBlockTokens - 1) / kKvBlockTokens; }

uint64_t checksum(std::span<const std::byte> bytes) {
  model::Hash hash;
  hash.bytes(bytes);
  return hash.value();
}

/// Bytes of a whole state with that header, or nothing if they do not fit in 64 bits.
std::optional<uint64_t> state_bytes(const Header& h) {
  const auto blocks = base::checked_mul(n_blocks_of(h.n_cells), h.block_bytes);
  if (!blocks) return std::nullopt;
  return base::checked_add(*blocks,
                           sizeof(Header) + h.layout_bytes + uint64_t{h.n_cells} * sizeof(int32_t) + sizeof(uint64_t));
}

Status check_header(const Header& h, uint64_t size, const compute::KvStore& kv, uint64_t fingerprint) {
  QUERN_ENSURE(std::memcmp(h.magic, kMagic, sizeof kMagic) == 0, Errc::format,
               "state: it does not begin with QUERNSEQ");
  QUERN_ENSURE(h.version == kVersion, Errc::unsupported, "state: expected version ", kVersion, ", found ", h.version);
  QUERN_ENSURE(h.fingerprint == fingerprint, Errc::unsupported, "state: it was saved with another model");
  QUERN_ENSURE(h.block_tokens == kKvBlockTokens, Errc::unsupported, "state: expected blocks of ", kKvBlockTokens,
               " tokens, found ", h.block_tokens);
  QUERN_ENSURE(h.block_bytes == kv.block_bytes(), Errc::unsupported, "state: expected blocks of ", kv.block_bytes(),
               " bytes, found ", h.block_bytes, ": saved with another cache type or backend");
  const auto expected = state_bytes(h);
  QUERN_ENSURE(expected && *expected == size, Errc::format, "state: expected ", expected.value_or(UINT64_MAX),
               " bytes, found ", size);
  return {};
}

}  // namespace

Result<std::vector<std::byte>> save_state(const Sequence& sequence, const compute::KvStore& kv, uint64_t fingerprint) {
  const std::string layout = kv.layout();
  Header header{{},
                kVersion,
                kKvBlockTokens,
                fingerprint,
                kv.block_bytes(),
                sequence.size(),
                static_cast<uint32_t>(layout.size())};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  const auto size = state_bytes(header);
  QUERN_ENSURE(size.has_value(), Errc::internal, "state: its size does not fit in 64 bits");
  std::vector<std::byte> out;
  try {
    out.resize(*size);
  } catch (const std::bad_alloc&) {
    return fail(Errc::memory, "no memory for a state of ", *size, " bytes");
  }
  std::byte* at = out.data();
  const auto put = [&at](const void* from, size_t n) {
    if (n > 0) std::memcpy(at, from, n);
    at += n;
  };
  put(&header, sizeof header);
  put(layout.data(), layout.size());
  put(sequence.positions().data(), sequence.positions().size_bytes());
  for (const uint32_t block : sequence.blocks()) {
    kv.read_block(block, {at, kv.block_bytes()});
    at += kv.block_bytes();
  }
  const uint64_t sum = checksum({out.data(), at});
  put(&sum, sizeof sum);
  return out;
}

Result<StateView> parse_state(std::span<const std::byte> state, const compute::KvStore& kv, uint64_t fingerprint) {
  Header header;
  QUERN_ENSURE(state.size() >= sizeof header + sizeof(uint64_t), Errc::format, "state: cut short after ", state.size(),
               " bytes");
  std::memcpy(&header, state.data(), sizeof header);
  QUERN_CHECK(check_header(header, state.size(), kv, fingerprint));
  uint64_t sum;
  std::memcpy(&sum, state.data() + state.size() - sizeof sum, sizeof sum);
  QUERN_ENSURE(sum == checksum(state.first(state.size() - sizeof sum)), Errc::format,
               "state: its checksum does not match");

  std::span<const std::byte> rest = state.subspan(sizeof header);
  const std::string layout = kv.layout(), found(reinterpret_cast<const char*>(rest.data()), header.layout_bytes);
  QUERN_ENSURE(found == layout, Errc::unsupported, "state: saved with another backend or cache type: expected '",
               layout, "'");
  rest = rest.subspan(header.layout_bytes);
  StateView view;
  view.positions.resize(header.n_cells);
  if (header.n_cells > 0) std::memcpy(view.positions.data(), rest.data(), header.n_cells * sizeof(int32_t));
  rest = rest.subspan(header.n_cells * sizeof(int32_t));
  for (size_t i = 0; i < view.positions.size(); ++i) {
    const int32_t lowest = i == 0 ? 0 : view.positions[i - 1] + 1;
    const bool grows = view.positions[i] >= lowest && view.positions[i] < INT32_MAX;
    QUERN_ENSURE(grows, Errc::format, "state: cell ", i, ": expected a position of at least ", lowest, ", found ",
                 view.positions[i]);
  }
  view.n_blocks = static_cast<uint32_t>(n_blocks_of(header.n_cells));
  view.block_bytes = header.block_bytes;
  view.bytes = rest.first(view.n_blocks * view.block_bytes);
  return view;
}

}  // namespace quern::context
