// The saved form of one sequence, for the same model, cache types and backend. Little endian:
//   char[8] "QUERNSEQ"; u32 version; u32 block tokens; u64 fingerprint of the model; u64 bytes of a block;
//   u32 n_cells; u32 length of the layout's name; that name; i32 position of each cell;
//   the blocks' bytes, ceil(n_cells / block tokens) of them; u64 checksum of everything before.
// A state is as trusted as a model file: every field is checked, but the numbers in the blocks are taken as they are.
// Blocks are saved whole: the cells of the last one behind the sequence's end hold whatever was there before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/compute/ops.h"
#include "lib/context/sequence.h"

namespace quern::context {

/// A checked state. Borrows the blocks' bytes.
struct StateView {
  std::vector<int32_t> positions;
  uint32_t n_blocks = 0;
  uint64_t block_bytes = 0;
  std::span<const std::byte> bytes;
  std::span<const std::byte> block(uint32_t i) const { return bytes.subspan(i * block_bytes, block_bytes); }
};

Result<std::vector<std::byte>> save_state(const Sequence& sequence, const compute::KvStore& kv, uint64_t fingerprint);

/// Errc::format for bytes that are not a whole, undamaged state; Errc::unsupported for one of another version, model,
/// cache type or backend.
Result<StateView> parse_state(std::span<const std::byte> state, const compute::KvStore& kv, uint64_t fingerprint);

}  // namespace quern::context
