// Activations as the matrix products read them: columns (tokens) in tiles of a few, interleaved, so that a kernel walks
// through one tile from front to back while it walks along a panel of weights.
//
// Integer kinds (per16, per32): elements are quantized in blocks of 16 or 32. Per 32 elements of K, for a tile of
// `width` columns, with parts = 32 / block:
//   int32 q[8][width]          dword t of a column: its codes 4t .. 4t+3 as int8
//   float d[parts][width]      the scale: x ~ d * code, d = max|x| / 127 over the block
//   int32 nsum[parts][width]   minus the sum of the block's codes
//   float dsum[parts][width]   d * nsum
// Kind f32: float x[width] per element of K.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/base/thread_pool.h"
#include "lib/compute/ops.h"

namespace quern::cpu {

enum class ActivationKind : uint8_t { f32, per16, per32 };
inline constexpr size_t kActivationKinds = 3;

/// Tile widths that kernels exist for, widest first.
inline constexpr size_t kTileWidths[] = {8, 4, 3, 2, 1};

/// Bytes of one column of K elements.
constexpr size_t column_bytes(ActivationKind kind, size_t k) {
  switch (kind) {
    case ActivationKind::f32:
      return k * 4;
    case ActivationKind::per16:
      return k / 32 * (32 + 2 * 12);
    case ActivationKind::per32:
      return k / 32 * (32 + 12);
  }
  return 0;
}

struct Tile {
  uint32_t first_column, width;
  size_t offset;  ///< bytes, in Activations::data
};

/// One input of a product, in one kind.
struct Activations {
  std::vector<Tile> tiles;
  std::vector<uint8_t> data;  ///< reused from product to product

  /// Packs every row of x (a row of x is a column of the product). `max_width`: of the widest tile.
  void pack(compute::Mat x, ActivationKind kind, size_t max_width, base::ThreadPool& pool);
};

/// Divides n columns into tiles of the widths in kTileWidths up to max_width.
void make_tiles(size_t n, size_t max_width, size_t column_bytes, std::vector<Tile>& tiles);

}  // namespace quern::cpu
