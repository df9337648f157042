// The saved form of one sequence, for the same model, cache types and backend. Little endian, version 2:
//   char[8] "QUERNSEQ"; u32 version; u32 block tokens; u64 fingerprint of the model and the adapters; u32 n_cells; u32
//   n_parts; i32 position of each cell; the parts; u64 checksum of everything before.
// A part is what one cache of the model holds, in this order, as far as the model has them:
//   u32 kind: 1 layers that see everything, 2 layers with a sliding window, 3 recurrent layers; u32 first cell; u64
//   bytes of a block; u32 n_blocks; u32 length of the layout's name; that name; the blocks' bytes, from the one of the
//   first cell on.
// The first cell is 0 but for layers with a window: those have what a token at the next position sees, and 64 positions
// more. Cells of the blocks before the first one and behind the sequence's end are zero. Checkpoints are not saved; a
// restored sequence has one at its end. Recurrent layers have one block, their state behind the last cell, and for
// their first cell the number of cells; of an empty sequence they have none.
//
// A state is as trusted as a model file: every field is checked, but the numbers in the blocks are taken as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/status.h"
#include "lib/context/cache.h"
#include "lib/context/sequence.h"

namespace quern::context {

/// One cache's blocks in a state. Borrows their bytes.
struct CacheImage {
  uint32_t first_cell = 0, n_blocks = 0;
  uint64_t block_bytes = 0;
  std::span<const std::byte> bytes;
  std::span<const std::byte> block(uint32_t i) const { return bytes.subspan(i * block_bytes, block_bytes); }
};

/// A checked state.
struct StateView {
  std::vector<int32_t> positions;
  CacheImage all, window, recurrent;  ///< without blocks where the model has no such cache
};

Result<std::vector<std::byte>> save_state(const Sequence& sequence, const Cache& cache, uint64_t fingerprint);

/// Errc::format for bytes that are not a whole, undamaged state; Errc::unsupported for one of another version, model,
/// cache type or backend.
Result<StateView> parse_state(std::span<const std::byte> state, const Cache& cache, uint64_t fingerprint);

}  // namespace quern::context
