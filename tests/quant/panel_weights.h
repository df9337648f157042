// The weights that panels hold: the decoded ones, bit for bit, except where a codebook's values have become whole
// numbers (Codebook4bit).
#pragma once

#include <cmath>
#include <cstddef>
#include <random>

#include "lib/quant/all_formats-inl.h"
#include "lib/quant/format.h"

namespace quern::quant {

/// As Format::decode.
template <class Format>
void decode_panel(const std::byte* blocks, float* out, size_t n) {
  if constexpr (requires { Format::kCodebook; }) {
    const Codebook4bit& codebook = Format::kCodebook;
    for (size_t i = 0; i < n; i += Format::kBlockElems, blocks += sizeof(typename Format::Block)) {
      const auto block = load<typename Format::Block>(blocks);
      for (size_t e = 0; e < Format::kBlockElems; ++e) {
        const int element = static_cast<int>(e), code = Format::code(block, element);
        const float scale = Format::absmax(block, element) * codebook.step;
        out[i + e] = scale * static_cast<float>(codebook.biased[static_cast<size_t>(code)] - 128);
      }
    }
  } else {
    Format::decode(blocks, out, n);
  }
}

/// The same of a format known at run time only.
inline void decode_panel(const FormatInfo& format, const std::byte* blocks, float* out, size_t n) {
#define QUERN_FORMAT(stem, Trait) \
  if (format.type == Trait::kType) decode_panel<Trait>(blocks, out, n);
#include "lib/quant/formats.def"
#undef QUERN_FORMAT
}

/// The root mean square of what the whole numbers change of a block's weights, in parts of its largest magnitude, where
/// the weights of a block of 64 are normally distributed.
inline double normal_error(const Codebook4bit& codebook) {
  std::mt19937 rng(5);
  std::normal_distribution<double> normal;
  constexpr size_t kBlocks = 4000, kBlock = 64;
  double sum = 0;
  for (size_t b = 0; b < kBlocks; ++b) {
    double x[kBlock], absmax = 0;
    for (double& v : x) absmax = std::fmax(absmax, std::fabs(v = normal(rng)));
    for (const double v : x) {
      size_t best = 0;
      for (size_t q = 1; q < 16; ++q) {
        if (std::fabs(v / absmax - codebook.values[q]) < std::fabs(v / absmax - codebook.values[best])) best = q;
      }
      const double miss = codebook.values[best] - static_cast<double>(codebook.step) * (codebook.biased[best] - 128);
      sum += miss * miss;
    }
  }
  return std::sqrt(sum / (kBlocks * kBlock));
}

}  // namespace quern::quant
