// Quantizing as bitsandbytes does: NF4, NF4_DQ, FP4. The scale of a block is its largest magnitude, and an element's
// code the nearest one; between two, the lower. There is nothing to choose, so weights do not matter, and codes and
// scales of blocks are those that bitsandbytes stores.
#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "lib/quant/all_formats-inl.h"

namespace quern::quant {
namespace {

constexpr size_t kSub = 64;  ///< elements that share a scale

/// The midpoints between neighbours of increasing values.
template <size_t kCount>
constexpr std::array<float, kCount - 1> midpoints(const std::array<float, kCount>& values) {
  std::array<float, kCount - 1> out{};
  for (size_t i = 0; i + 1 < kCount; ++i) out[i] = (values[i] + values[i + 1]) / 2;
  return out;
}

constexpr std::array<float, 15> kNf4Midpoints = midpoints(kNf4.values);
constexpr std::array<float, 255> kMapMidpoints = midpoints(kDynamicMap);

/// The codes of FP4's magnitudes in increasing order, and the midpoints of these.
constexpr std::array<uint8_t, 8> kFp4Order = {0, 1, 6, 7, 4, 5, 2, 3};
constexpr std::array<float, 7> kFp4Midpoints = [] {
  std::array<float, 8> values{};
  for (size_t i = 0; i < 8; ++i) values[i] = kBnbFp4.values[kFp4Order[i]];
  return midpoints(values);
}();

float largest_magnitude(const float* x, size_t n) {
  float out = 0;
  for (size_t i = 0; i < n; ++i) out = std::max(out, std::fabs(x[i]));
  return out;
}

/// x as parts of its scale.
void normalize(const float* x, size_t n, float scale, float* out) {
  const float inverse = 1.0f / std::max(scale, 1e-38f);
  for (size_t i = 0; i < n; ++i) out[i] = std::clamp(x[i] * inverse, -1.0f, 1.0f);
}

/// How many of the bounds are below each x.
template <size_t kCount>
void rank(const float (&x)[kSub], const std::array<float, kCount>& bounds, int32_t (&ranks)[kSub]) {
  std::fill_n(ranks, kSub, 0);
  for (const float bound : bounds) {
    for (size_t i = 0; i < kSub; ++i) ranks[i] += x[i] > bound ? 1 : 0;
  }
}

/// The NF4 codes of kSub elements.
void nf4_codes(const float* x, float absmax, uint8_t* codes) {
  float parts[kSub];
  int32_t ranks[kSub];
  normalize(x, kSub, absmax, parts);
  rank(parts, kNf4Midpoints, ranks);
  for (size_t i = 0; i < kSub; ++i) codes[i] = static_cast<uint8_t>(ranks[i]);
}

void fp4_codes(const float* x, float absmax, uint8_t* codes) {
  float parts[kSub], sizes[kSub];
  int32_t ranks[kSub];
  normalize(x, kSub, absmax, parts);
  for (size_t i = 0; i < kSub; ++i) sizes[i] = std::fabs(parts[i]);
  rank(sizes, kFp4Midpoints, ranks);
  for (size_t i = 0; i < kSub; ++i) {
    codes[i] = static_cast<uint8_t>(kFp4Order[static_cast<size_t>(ranks[i])] | (parts[i] < 0 ? 8 : 0));
  }
}

template <class Format>
void encode_blocks(void (*codes_of)(const float*, float, uint8_t*), const float* x, size_t n, std::byte* blocks) {
  uint8_t codes[kSub];
  for (size_t i = 0; i < n; i += kSub, blocks += sizeof(typename Format::Block)) {
    const float absmax = largest_magnitude(x + i, kSub);
    codes_of(x + i, absmax, codes);
    typename Format::Block block;
    Format::pack(codes, absmax, block);
    store(block, blocks);
  }
}

}  // namespace

void NF4::encode(const float* x, const float*, size_t n, std::byte* blocks) {
  encode_blocks<NF4>(&nf4_codes, x, n, blocks);
}

void FP4::encode(const float* x, const float*, size_t n, std::byte* blocks) {
  encode_blocks<FP4>(&fp4_codes, x, n, blocks);
}

/// A row has scales of its own for its blocks' scales; bitsandbytes has them for 256 blocks of a tensor, and one mean
/// for the whole.
void NF4_DQ::encode(const float* x, const float*, size_t n, std::byte* blocks) {
  std::vector<float> absmax(n / kSub);
  double sum = 0;
  for (size_t i = 0; i < absmax.size(); ++i) sum += absmax[i] = largest_magnitude(x + i * kSub, kSub);
  const float offset = static_cast<float>(sum / static_cast<double>(absmax.size()));
  std::vector<float> parts(absmax.size());
  for (size_t i = 0; i < absmax.size(); ++i) parts[i] = absmax[i] - offset;
  const float nested = largest_magnitude(parts.data(), parts.size());
  normalize(parts.data(), parts.size(), nested, parts.data());
  uint8_t codes[kBlockElems], map_codes[4];
  for (size_t i = 0; i < absmax.size(); i += 4, blocks += sizeof(Block)) {
    for (size_t k = 0; k < 4; ++k) {
      const auto at = std::lower_bound(kMapMidpoints.begin(), kMapMidpoints.end(), parts[i + k]);
      map_codes[k] = static_cast<uint8_t>(at - kMapMidpoints.begin());
      nf4_codes(x + (i + k) * kSub, absmax[i + k], codes + k * kSub);
    }
    Block block;
    pack(codes, map_codes, nested, offset, block);
    store(block, blocks);
  }
}

}  // namespace quern::quant
