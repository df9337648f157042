// Activations as the matrix products read them: columns (tokens) in tiles of a few, interleaved, so that a kernel walks
// through one tile from front to back while it walks along a panel of weights.
//
// Kind f32: float x[width] per element of K.
//
// Kind per16, for weights in blocks of 32, 64 or 128: every 16 elements have a scale of their own. Per 32 elements of
// K, for a tile of `width` columns:
//   int32 q[8][width]       dword t of a column: its codes 4t .. 4t+3 as int8
//   float d[2][width]       the scale: x ~ d * code, d = max|x| / 127 over the 16
//   int32 nsum[2][width]    minus the sum of the 16 codes
//   float dsum[2][width]    d * nsum
//
// Kind per256, for weights in blocks of 256: one scale d = max|x| / (127 * 8), and every 32 elements a power of two on
// top, x ~ d * 2^shift * code with the least shift of 0 .. 3 that fits. So a product sums up integers over all 256
// elements, and small neighbours of a large element keep their precision. Per 256 elements of K (see Super):
//   int32 q[64][width]          as above
//   int32 shift[8][width]
//   int32 nsum[16][width]       minus the sum of 16 codes
//   int16 pairs16[8][width][2]  2^shift * nsum of the two halves of 32 elements
//   int16 pairs32[4][width][2]  2^shift * minus the sum of 32 codes, two neighbours
//   float d[width]
// 127 * 32 * 2^3 is below 2^15, which is what limits the shift.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "lib/base/thread_pool.h"
#include "lib/compute/ops.h"

namespace quern::cpu {

enum class ActivationKind : uint8_t { f32, per16, per256 };
inline constexpr size_t kActivationKinds = 3;

/// Tile widths that kernels exist for, widest first.
inline constexpr size_t kTileWidths[] = {8, 4, 3, 2, 1};

/// Kind per16: where the parts of 32 elements begin, in dwords per column.
struct Half {
  static constexpr size_t kCodes = 0, kScale = 8, kNegSum = 10, kScaledNegSum = 12, kDwords = 14;
};

/// Kind per256: where the parts of 256 elements begin, in dwords per column.
struct Super {
  static constexpr size_t kCodes = 0, kShift = 64, kNegSum = 72, kPairs16 = 88, kPairs32 = 96, kScale = 100,
                          kDwords = 101;
  static constexpr int kMaxShift = 3;
};

/// Bytes of one column of K elements.
constexpr size_t column_bytes(ActivationKind kind, size_t k) {
  switch (kind) {
    case ActivationKind::f32:
      return k * 4;
    case ActivationKind::per16:
      return k / 32 * Half::kDwords * 4;
    case ActivationKind::per256:
      return k / 256 * Super::kDwords * 4;
  }
  return 0;
}

struct Tile {
  uint32_t first_column, width;
  size_t offset;  ///< bytes, in Activations::data
};

/// Tiles [begin, end) of Activations::tiles.
struct TileRange {
  uint32_t begin = 0, end = 0;
};

/// One input of a product, in one kind.
struct Activations {
  std::vector<Tile> tiles;
  std::vector<uint8_t> data;  ///< reused from product to product

  TileRange all() const { return {0, static_cast<uint32_t>(tiles.size())}; }
  /// Packs every row of x (a row of x is a column of the product). `max_width`: of the widest tile. With an `order`
  /// (nullptr: none), element i of a packed row is element order[i] of the row of x.
  void pack(compute::Mat x, ActivationKind kind, const uint32_t* order, size_t max_width, base::ThreadPool& pool);
  /// Packs chosen rows of x: column i is row rows[i]. Group g has group_sizes[g] columns, the order orders[g], and
  /// tiles of its own, which are ranges[g] afterwards.
  void pack_groups(compute::Mat x, std::span<const uint32_t> rows, std::span<const uint32_t> group_sizes,
                   ActivationKind kind, std::span<const uint32_t* const> orders, size_t max_width,
                   base::ThreadPool& pool, std::vector<TileRange>& ranges);

 private:
  /// Packs the columns of all tiles; row_of(column): the row of x that a column is; orders_ are those of the tiles.
  template <class RowOf>
  void fill(compute::Mat x, ActivationKind kind, base::ThreadPool& pool, RowOf&& row_of);

  std::vector<const uint32_t*> orders_;  ///< of each tile
  std::vector<float> ordered_;           ///< per thread: a row of x in another order
};

/// Appends columns [first_column, first_column + n), divided into tiles of the widths in kTileWidths up to max_width.
void append_tiles(size_t first_column, size_t n, size_t max_width, size_t column_bytes, std::vector<Tile>& tiles);

}  // namespace quern::cpu
