#include "lib/cpu/matmul/activations.h"

#include <algorithm>
#include <bit>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lib/cpu/matmul/activations.cc"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 16>;

/// Maxima below this are taken for zero: their inverse would not be finite.
constexpr float kSmallest = 1e-30f;

/// The larger of two magnitudes; what is not a number counts as the largest of all.
float larger(float a, float b) { return std::bit_cast<int32_t>(a) < std::bit_cast<int32_t>(b) ? b : a; }

/// The largest magnitude of kCount elements, in the sense of larger().
template <size_t kCount>
HWY_INLINE float highest_of(const float* x) {
  const DF df;
  const hn::Rebind<int32_t, DF> di32;
  auto highest = hn::Zero(di32);
  for (size_t i = 0; i < kCount; i += hn::Lanes(df))
    highest = hn::Max(highest, hn::BitCast(di32, hn::Abs(hn::LoadU(df, x + i))));
  return std::bit_cast<float>(hn::ReduceMax(di32, highest));
}

/// codes = round(x * inverse) of kCount elements.
template <size_t kCount>
HWY_INLINE void quantize(const float* x, float inverse, int8_t* codes) {
  const DF df;
  const hn::Rebind<int32_t, DF> di32;
  const hn::Rebind<int8_t, DF> di8;
  const auto scale = hn::Set(df, inverse);
  for (size_t i = 0; i < kCount; i += hn::Lanes(df)) {
    const auto rounded = hn::NearestInt(hn::Mul(hn::LoadU(df, x + i), scale));
    hn::StoreU(hn::DemoteTo(di8, hn::BitCast(di32, rounded)), di8, codes + i);
  }
}

HWY_INLINE int32_t sum_of_16(const int8_t* codes) {
  const hn::FixedTag<int8_t, 16> di8;
  const hn::FixedTag<int32_t, 4> di32;
  const auto ones = hn::Set(hn::FixedTag<uint8_t, 16>(), uint8_t{1});
  return hn::ReduceSum(di32, hn::SumOfMulQuadAccumulate(di32, ones, hn::LoadU(di8, codes), hn::Zero(di32)));
}

/// The place of one column in a tile, by the number of the dword.
class Column {
 public:
  Column(uint8_t* tile, size_t width, size_t column) : at_(tile + 4 * column), step_(4 * width) {}
  template <typename T>
  void put(size_t dword, T value) {
    static_assert(sizeof(T) == 4);
    std::memcpy(at_ + dword * step_, &value, 4);
  }
  void put_codes(const int8_t* codes, size_t n_dwords) {
    for (size_t t = 0; t < n_dwords; ++t) std::memcpy(at_ + t * step_, codes + 4 * t, 4);
  }
  void advance(size_t n_dwords) { at_ += n_dwords * step_; }

 private:
  uint8_t* at_;
  size_t step_;
};

void pack_per16(const float* x, size_t k, Column column) {
  HWY_ALIGN int8_t codes[32];
  for (size_t i = 0; i < k; i += 32, column.advance(Half::kDwords)) {
    for (size_t part = 0; part < 2; ++part) {
      const float max = highest_of<16>(x + i + 16 * part);
      const bool zero = max < kSmallest;
      quantize<16>(x + i + 16 * part, zero ? 0.0f : 127.0f / max, codes + 16 * part);
      const float d = zero ? 0.0f : max / 127.0f;
      const int32_t nsum = -sum_of_16(codes + 16 * part);
      column.put(Half::kScale + part, d);
      column.put(Half::kNegSum + part, nsum);
      column.put(Half::kScaledNegSum + part, d * static_cast<float>(nsum));
    }
    column.put_codes(codes, 8);
  }
}

/// Two 16-bit numbers in a dword, the first one low.
int32_t pair_of(int32_t a, int32_t b) {
  return static_cast<int32_t>((static_cast<uint32_t>(a) & 0xFFFF) | static_cast<uint32_t>(b) << 16);
}

void pack_per256(const float* x, size_t k, Column column) {
  HWY_ALIGN int8_t codes[32];
  for (size_t i = 0; i < k; i += 256, column.advance(Super::kDwords)) {
    float highest[8], max = 0;
    for (size_t j = 0; j < 8; ++j) {
      highest[j] = highest_of<32>(x + i + 32 * j);
      max = larger(max, highest[j]);
    }
    const bool zero = max < kSmallest;
    const float inverse = zero ? 0.0f : 1016.0f / max;
    column.put(Super::kScale, zero ? 0.0f : max / 1016.0f);
    int32_t sums[8];
    for (size_t j = 0; j < 8; ++j) {
      const int32_t shift = (8 * highest[j] > max) + (4 * highest[j] > max) + (2 * highest[j] > max);
      quantize<32>(x + i + 32 * j, inverse / static_cast<float>(1 << shift), codes);
      const int32_t low = -sum_of_16(codes), high = -sum_of_16(codes + 16);
      Column at = column;
      at.advance(8 * j);
      at.put_codes(codes, 8);
      column.put(Super::kShift + j, shift);
      column.put(Super::kNegSum + 2 * j, low);
      column.put(Super::kNegSum + 2 * j + 1, high);
      column.put(Super::kPairs16 + j, pair_of(low * (1 << shift), high * (1 << shift)));
      sums[j] = (low + high) * (1 << shift);
    }
    for (size_t j = 0; j < 4; ++j) column.put(Super::kPairs32 + j, pair_of(sums[2 * j], sums[2 * j + 1]));
  }
}

void pack_column(const float* x, size_t k, ActivationKind kind, uint8_t* tile, size_t width, size_t column) {
  switch (kind) {
    case ActivationKind::f32:
      for (size_t i = 0; i < k; ++i) std::memcpy(tile + 4 * (i * width + column), x + i, 4);
      break;
    case ActivationKind::per16:
      pack_per16(x, k, Column(tile, width, column));
      break;
    case ActivationKind::per256:
      pack_per256(x, k, Column(tile, width, column));
      break;
  }
}

}  // namespace quern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quern::cpu {

HWY_EXPORT(pack_column);

void append_tiles(size_t first_column, size_t n, size_t max_width, size_t column_bytes, std::vector<Tile>& tiles) {
  size_t column = first_column;
  const size_t end = first_column + n;
  while (column < end) {
    size_t width = 1;
    for (const size_t w : kTileWidths) {
      if (w <= max_width && w <= end - column) {
        width = w;
        break;
      }
    }
    // 5 = 3 + 2 rather than 4 + 1: two nearly equal tiles share the cost of unpacking better.
    if (end - column == 5 && max_width >= 4) width = 3;
    tiles.push_back({static_cast<uint32_t>(column), static_cast<uint32_t>(width), column * column_bytes});
    column += width;
  }
}

template <class RowOf>
void Activations::fill(compute::Mat x, ActivationKind kind, base::ThreadPool& pool, RowOf&& row_of) {
  const bool any_order = std::any_of(orders_.begin(), orders_.end(), [](const uint32_t* order) { return order; });
  if (any_order) ordered_.resize(std::max<size_t>(ordered_.size(), size_t{pool.n_threads()} * x.cols));
  pool.run(tiles.size(), [&](size_t i, size_t worker) {
    const Tile& tile = tiles[i];
    const uint32_t* const order = orders_[i];
    for (uint32_t c = 0; c < tile.width; ++c) {
      const float* row = x.row(row_of(tile.first_column + c));
      if (order != nullptr) {
        float* const ordered = ordered_.data() + worker * x.cols;
        for (uint32_t j = 0; j < x.cols; ++j) ordered[j] = row[order[j]];
        row = ordered;
      }
      HWY_DYNAMIC_DISPATCH(pack_column)
      (row, x.cols, kind, data.data() + tile.offset, tile.width, c);
    }
  });
}

void Activations::pack(compute::Mat x, ActivationKind kind, const uint32_t* order, size_t max_width,
                       base::ThreadPool& pool) {
  const size_t bytes = column_bytes(kind, x.cols);
  tiles.clear();
  append_tiles(0, x.rows, max_width, bytes, tiles);
  orders_.assign(tiles.size(), order);
  data.resize(x.rows * bytes);
  fill(x, kind, pool, [](uint32_t c) { return c; });
}

void Activations::pack_groups(compute::Mat x, std::span<const uint32_t> rows, std::span<const uint32_t> group_sizes,
                              ActivationKind kind, std::span<const uint32_t* const> orders, size_t max_width,
                              base::ThreadPool& pool, std::vector<TileRange>& ranges) {
  const size_t bytes = column_bytes(kind, x.cols);
  tiles.clear();
  ranges.clear();
  orders_.clear();
  size_t column = 0;
  for (size_t g = 0; g < group_sizes.size(); ++g) {
    const auto begin = static_cast<uint32_t>(tiles.size());
    append_tiles(column, group_sizes[g], max_width, bytes, tiles);
    ranges.push_back({begin, static_cast<uint32_t>(tiles.size())});
    orders_.resize(tiles.size(), orders[g]);
    column += group_sizes[g];
  }
  data.resize(column * bytes);
  fill(x, kind, pool, [&](uint32_t c) { return rows[c]; });
}

}  // namespace quern::cpu
#endif  // HWY_ONCE
