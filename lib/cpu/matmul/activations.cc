#include "lib/cpu/matmul/activations.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/matmul/activations.cc"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Codes of kBlock elements and their scale.
template <size_t kBlock>
HWY_INLINE float quantize_block(const float* x, int8_t* codes) {
  const hn::CappedTag<float, 16> df;
  const hn::Rebind<int32_t, decltype(df)> di32;
  const hn::Rebind<int8_t, decltype(df)> di8;
  auto highest = hn::Zero(df);
  for (size_t i = 0; i < kBlock; i += hn::Lanes(df)) highest = hn::Max(highest, hn::Abs(hn::LoadU(df, x + i)));
  const float max = hn::ReduceMax(df, highest);
  const float inverse = max > 0 ? 127.0f / max : 0.0f;
  const auto scale = hn::Set(df, inverse);
  for (size_t i = 0; i < kBlock; i += hn::Lanes(df)) {
    const auto rounded = hn::NearestInt(hn::Mul(hn::LoadU(df, x + i), scale));
    hn::StoreU(hn::DemoteTo(di8, hn::BitCast(di32, rounded)), di8, codes + i);
  }
  return max / 127.0f;
}

/// Writes one column into its place in a tile.
template <size_t kBlock>
void pack_quantized(const float* x, size_t k, uint8_t* tile, size_t width, size_t column) {
  constexpr size_t kParts = 32 / kBlock;
  int8_t codes[32];
  for (size_t i = 0; i < k; i += 32, tile += width * (32 + 12 * kParts)) {
    for (size_t part = 0; part < kParts; ++part) {
      const float d = quantize_block<kBlock>(x + i + part * kBlock, codes + part * kBlock);
      int32_t nsum = 0;
      for (size_t j = 0; j < kBlock; ++j) nsum -= codes[part * kBlock + j];
      const float dsum = d * static_cast<float>(nsum);
      std::memcpy(tile + 4 * ((8 + part) * width + column), &d, 4);
      std::memcpy(tile + 4 * ((8 + kParts + part) * width + column), &nsum, 4);
      std::memcpy(tile + 4 * ((8 + 2 * kParts + part) * width + column), &dsum, 4);
    }
    for (size_t t = 0; t < 8; ++t) std::memcpy(tile + 4 * (t * width + column), codes + 4 * t, 4);
  }
}

void pack_column(const float* x, size_t k, ActivationKind kind, uint8_t* tile, size_t width, size_t column) {
  switch (kind) {
    case ActivationKind::f32:
      for (size_t i = 0; i < k; ++i) std::memcpy(tile + 4 * (i * width + column), x + i, 4);
      break;
    case ActivationKind::per16:
      pack_quantized<16>(x, k, tile, width, column);
      break;
    case ActivationKind::per32:
      pack_quantized<32>(x, k, tile, width, column);
      break;
  }
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(pack_column);

void make_tiles(size_t n, size_t max_width, size_t column_bytes, std::vector<Tile>& tiles) {
  tiles.clear();
  size_t column = 0, offset = 0;
  while (column < n) {
    size_t width = 1;
    for (const size_t w : kTileWidths) {
      if (w <= max_width && w <= n - column) {
        width = w;
        break;
      }
    }
    // 5 = 3 + 2 rather than 4 + 1: two nearly equal tiles share the cost of unpacking better.
    if (n - column == 5 && max_width >= 4) width = 3;
    tiles.push_back({static_cast<uint32_t>(column), static_cast<uint32_t>(width), offset});
    column += width;
    offset += width * column_bytes;
  }
}

void Activations::pack(compute::Mat x, ActivationKind kind, size_t max_width, base::ThreadPool& pool) {
  const size_t bytes = column_bytes(kind, x.cols);
  make_tiles(x.rows, max_width, bytes, tiles);
  data.resize(x.rows * bytes);
  pool.run(tiles.size(), [&](size_t i) {
    const Tile& tile = tiles[i];
    for (size_t c = 0; c < tile.width; ++c) {
      const auto row = static_cast<uint32_t>(tile.first_column + c);
      HWY_DYNAMIC_DISPATCH(pack_column)(x.row(row), x.cols, kind, data.data() + tile.offset, tile.width, c);
    }
  });
}

}  // namespace quern::cpu
#endif  // HWY_ONCE
