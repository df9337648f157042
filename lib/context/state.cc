#include "lib/context/state.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <string>

#include "lib/base/checked.h"
#include "lib/context/block_table.h"
#include "lib/model/hash.h"

namespace quern::context {

using compute::kKvBlockTokens;

namespace {

static_assert(std::endian::native == std::endian::little, "states are written as they lie in memory");

constexpr char kMagic[8] = {'Q', 'U', 'E', 'R', 'N', 'S', 'E', 'Q'};
constexpr uint32_t kVersion = 2;

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t block_tokens;
  uint64_t fingerprint;
  uint32_t n_cells;
  uint32_t n_parts;
};
static_assert(sizeof(Header) == 32);

enum PartKind : uint32_t { kAll = 1, kWindow = 2, kRecurrent = 3 };

struct PartHeader {
  uint32_t kind;
  uint32_t first_cell;
  uint64_t block_bytes;
  uint32_t n_blocks;
  uint32_t layout_bytes;
};
static_assert(sizeof(PartHeader) == 24);

/// In the order in which they are saved.
struct Part {
  PartKind kind;
  const compute::KvStore* store;
};
std::vector<Part> parts_of(const Cache& cache) {
  std::vector<Part> out;
  if (cache.store) out.push_back({kAll, cache.store.get()});
  if (cache.window_store) out.push_back({kWindow, cache.window_store.get()});
  return out;
}

uint64_t checksum(std::span<const std::byte> bytes) {
  model::Hash hash;
  hash.bytes(bytes);
  return hash.value();
}

void put(std::vector<std::byte>& out, const void* from, size_t n) {
  const auto* bytes = static_cast<const std::byte*>(from);
  out.insert(out.end(), bytes, bytes + n);
}

/// The cells [first_cell, n_cells) of one cache.
void put_part(std::vector<std::byte>& out, const Part& part, const BlockTable& table, uint32_t first_cell,
              uint32_t n_cells) {
  const std::string layout = part.store->layout();
  const uint64_t block_bytes = part.store->block_bytes();
  const uint32_t first_block = first_cell / kKvBlockTokens, n_blocks = blocks_for(n_cells) - first_block;
  const PartHeader header{part.kind, first_cell, block_bytes, n_blocks, static_cast<uint32_t>(layout.size())};
  put(out, &header, sizeof header);
  put(out, layout.data(), layout.size());
  for (uint32_t i = first_block; i < first_block + n_blocks; ++i) {
    const uint32_t begin = i * kKvBlockTokens;
    const uint32_t from = std::max(first_cell, begin) - begin, to = std::min(n_cells - begin, kKvBlockTokens);
    const size_t at = out.size();
    out.resize(at + block_bytes);
    if (from < to) part.store->read_block(table.blocks()[i], from, to, std::span(out).subspan(at));
  }
}

/// The state of recurrent layers.
void put_recurrent(std::vector<std::byte>& out, const compute::StateStore& store, uint32_t slot, uint32_t n_cells) {
  const std::string layout = store.layout();
  const PartHeader header{kRecurrent, n_cells, store.slot_bytes(), slot == compute::kZeroState ? 0u : 1u,
                          static_cast<uint32_t>(layout.size())};
  put(out, &header, sizeof header);
  put(out, layout.data(), layout.size());
  if (header.n_blocks == 0) return;
  const size_t at = out.size();
  out.resize(at + header.block_bytes);
  store.read_slot(slot, std::span(out).subspan(at));
}

/// Reads a state from its beginning on.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}

  Status get(void* to, uint64_t n) {
    QUERN_TRY(const auto bytes, take(n));
    if (n > 0) std::memcpy(to, bytes.data(), n);
    return {};
  }
  Result<std::span<const std::byte>> take(uint64_t n) {
    QUERN_ENSURE(n <= rest_.size(), Errc::format, "state: cut short: ", n, " bytes expected, ", rest_.size(), " left");
    const auto bytes = rest_.first(n);
    rest_ = rest_.subspan(n);
    return bytes;
  }
  size_t left() const { return rest_.size(); }

 private:
  std::span<const std::byte> rest_;
};

Status check_header(const Header& h, uint64_t fingerprint, size_t n_parts) {
  QUERN_ENSURE(std::memcmp(h.magic, kMagic, sizeof kMagic) == 0, Errc::format,
               "state: it does not begin with QUERNSEQ");
  QUERN_ENSURE(h.version == kVersion, Errc::unsupported, "state: expected version ", kVersion, ", found ", h.version);
  QUERN_ENSURE(h.fingerprint == fingerprint, Errc::unsupported,
               "state: it was saved with another model, or with other adapters");
  QUERN_ENSURE(h.block_tokens == kKvBlockTokens, Errc::unsupported, "state: expected blocks of ", kKvBlockTokens,
               " tokens, found ", h.block_tokens);
  QUERN_ENSURE(h.n_parts == n_parts, Errc::format, "state: expected ", n_parts, " parts, found ", h.n_parts);
  return {};
}

Result<std::vector<int32_t>> get_positions(Reader& reader, uint32_t n_cells) {
  QUERN_TRY(const auto bytes, reader.take(uint64_t{n_cells} * sizeof(int32_t)));
  std::vector<int32_t> positions(n_cells);
  if (n_cells > 0) std::memcpy(positions.data(), bytes.data(), bytes.size());
  for (size_t i = 0; i < positions.size(); ++i) {
    const int32_t lowest = i == 0 ? 0 : positions[i - 1] + 1;
    QUERN_ENSURE(positions[i] >= lowest && positions[i] < INT32_MAX, Errc::format, "state: cell ", i,
                 ": expected a position of at least ", lowest, ", found ", positions[i]);
  }
  return positions;
}

/// `last_first`: the first cell is this one at most.
Result<CacheImage> get_part(Reader& reader, const Part& part, uint32_t n_cells, uint32_t last_first) {
  PartHeader h;
  QUERN_CHECK(reader.get(&h, sizeof h));
  QUERN_ENSURE(h.kind == static_cast<uint32_t>(part.kind), Errc::format, "state: expected a part of kind ",
               static_cast<uint32_t>(part.kind), ", found ", h.kind);
  QUERN_TRY(const auto name, reader.take(h.layout_bytes));
  const std::string layout = part.store->layout(), found(reinterpret_cast<const char*>(name.data()), name.size());
  QUERN_ENSURE(found == layout, Errc::unsupported, "state: saved with another backend or cache type: expected '",
               layout, "'");
  QUERN_ENSURE(h.block_bytes == part.store->block_bytes(), Errc::unsupported, "state: expected blocks of ",
               part.store->block_bytes(), " bytes, found ", h.block_bytes);
  QUERN_ENSURE(h.first_cell <= last_first, Errc::format, "state: part ", h.kind, " begins with cell ", h.first_cell,
               ": expected ", last_first, " at most");
  const uint32_t n_blocks = blocks_for(n_cells) - h.first_cell / kKvBlockTokens;
  QUERN_ENSURE(h.n_blocks == n_blocks, Errc::format, "state: part ", h.kind, ": expected ", n_blocks, " blocks, found ",
               h.n_blocks);
  const auto n_bytes = base::checked_mul(h.block_bytes, h.n_blocks);
  QUERN_ENSURE(n_bytes.has_value(), Errc::format, "state: part ", h.kind, ": ", h.n_blocks, " blocks of ",
               h.block_bytes, " bytes do not fit in 64 bits");
  QUERN_TRY(const auto bytes, reader.take(*n_bytes));
  return CacheImage{h.first_cell, h.n_blocks, h.block_bytes, bytes};
}

Result<CacheImage> get_recurrent(Reader& reader, const compute::StateStore& store, uint32_t n_cells) {
  PartHeader h;
  QUERN_CHECK(reader.get(&h, sizeof h));
  QUERN_ENSURE(h.kind == kRecurrent, Errc::format, "state: expected a part of kind ", static_cast<uint32_t>(kRecurrent),
               ", found ", h.kind);
  QUERN_TRY(const auto name, reader.take(h.layout_bytes));
  const std::string layout = store.layout(), found(reinterpret_cast<const char*>(name.data()), name.size());
  QUERN_ENSURE(found == layout && h.block_bytes == store.slot_bytes(), Errc::unsupported,
               "state: saved with another backend: expected '", layout, "' and ", store.slot_bytes(), " bytes, found ",
               h.block_bytes);
  const uint32_t n_blocks = n_cells == 0 ? 0 : 1;
  QUERN_ENSURE(h.first_cell == n_cells && h.n_blocks == n_blocks, Errc::format, "state: part ", h.kind, ": expected ",
               n_blocks, " blocks for cell ", n_cells, ", found ", h.n_blocks, " for ", h.first_cell);
  QUERN_TRY(const auto bytes, reader.take(h.n_blocks * h.block_bytes));
  return CacheImage{h.first_cell, h.n_blocks, h.block_bytes, bytes};
}

}  // namespace

Result<std::vector<std::byte>> save_state(const Sequence& sequence, const Cache& cache, uint64_t fingerprint) {
  const auto parts = parts_of(cache);
  const uint32_t n_cells = sequence.size();
  const compute::StateStore* const states = cache.state_pool ? &cache.state_pool->store() : nullptr;
  const auto n_parts = static_cast<uint32_t>(parts.size() + (states != nullptr ? 1 : 0));
  Header header{{}, kVersion, kKvBlockTokens, fingerprint, n_cells, n_parts};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  std::vector<std::byte> out;
  try {
    uint64_t n_bytes = sizeof header + sequence.positions().size_bytes() + sizeof(uint64_t);
    for (const Part& part : parts) {
      const BlockTable& table = part.kind == kWindow ? sequence.window_table() : sequence.table();
      n_bytes += sizeof(PartHeader) + part.store->layout().size() + table.blocks().size() * part.store->block_bytes();
    }
    if (states != nullptr) n_bytes += sizeof(PartHeader) + states->layout().size() + states->slot_bytes();
    out.reserve(n_bytes);
    put(out, &header, sizeof header);
    put(out, sequence.positions().data(), sequence.positions().size_bytes());
    for (const Part& part : parts) {
      const BlockTable& table = part.kind == kWindow ? sequence.window_table() : sequence.table();
      const uint32_t first = part.kind == kWindow ? sequence.window_kept(cache, n_cells) : 0;
      put_part(out, part, table, std::max(first, table.first()), n_cells);
    }
    if (states != nullptr) put_recurrent(out, *states, sequence.state(), n_cells);
    const uint64_t sum = checksum(out);
    put(out, &sum, sizeof sum);
  } catch (const std::bad_alloc&) {
    return fail(Errc::memory, "no memory for the state of ", n_cells, " cells");
  }
  return out;
}

Result<StateView> parse_state(std::span<const std::byte> state, const Cache& cache, uint64_t fingerprint) {
  const auto parts = parts_of(cache);
  Header header;
  uint64_t sum = 0;
  QUERN_ENSURE(state.size() >= sizeof header + sizeof sum, Errc::format, "state: cut short after ", state.size(),
               " bytes");
  const auto body = state.first(state.size() - sizeof sum);
  Reader reader(body);
  QUERN_CHECK(reader.get(&header, sizeof header));
  QUERN_CHECK(check_header(header, fingerprint, parts.size() + (cache.state_pool ? 1 : 0)));
  std::memcpy(&sum, state.data() + body.size(), sizeof sum);
  QUERN_ENSURE(sum == checksum(body), Errc::format, "state: its checksum does not match");

  StateView view;
  QUERN_TRY(view.positions, get_positions(reader, header.n_cells));
  // What a token at the next position sees.
  const int64_t seen = header.n_cells == 0 ? 0 : int64_t{view.positions.back()} + 2 - cache.window;
  const auto window_begin = std::lower_bound(view.positions.begin(), view.positions.end(), seen);
  for (const Part& part : parts) {
    const bool window = part.kind == kWindow;
    const auto last_first = window ? static_cast<uint32_t>(window_begin - view.positions.begin()) : 0;
    QUERN_TRY((window ? view.window : view.all), get_part(reader, part, header.n_cells, last_first));
  }
  if (cache.state_pool) {
    QUERN_TRY(view.recurrent, get_recurrent(reader, cache.state_pool->store(), header.n_cells));
  }
  QUERN_ENSURE(reader.left() == 0, Errc::format, "state: ", reader.left(), " bytes follow its end");
  return view;
}

}  // namespace quern::context
