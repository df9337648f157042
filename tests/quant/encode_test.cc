// The encoders against blocks that the reference library made of the same numbers: never a larger error.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "lib/quant/format.h"
#include "tests/quant/test_data.h"

using namespace quern;

namespace {

constexpr size_t kRows = 8, kCols = 512;

std::vector<float> floats(const std::string& name) {
  const std::vector<std::byte> bytes = read_quant_data(name);
  std::vector<float> out(bytes.size() / sizeof(float));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

std::vector<float> quantized(const quant::FormatInfo& format, const std::vector<float>& x, const float* weights) {
  std::vector<std::byte> blocks(kCols / format.block_elems * format.block_bytes);
  std::vector<float> out(x.size());
  for (size_t r = 0; r < kRows; ++r) {
    format.encode(x.data() + r * kCols, weights, kCols, blocks.data());
    format.decode(blocks.data(), out.data() + r * kCols, kCols);
  }
  return out;
}

/// Root of the mean of weighted squared errors in rows [begin, end).
double error_of(const std::vector<float>& x, const std::vector<float>& y, const float* weights, size_t begin,
                size_t end) {
  double sum = 0, over = 0;
  for (size_t i = begin * kCols; i < end * kCols; ++i) {
    const double w = weights == nullptr ? 1 : weights[i % kCols], miss = static_cast<double>(x[i]) - y[i];
    sum += w * miss * miss;
    over += w;
  }
  return std::sqrt(sum / over);
}

}  // namespace

TEST_CASE("encoders leave no larger error than the reference library") {
  const std::vector<float> x = floats("input.f32"), weights = floats("imatrix.f32");
  REQUIRE(x.size() == kRows * kCols);
  REQUIRE(weights.size() == kCols);
  for (const quant::FormatInfo& format : quant::formats()) {
    if (format.encode == nullptr || format.block_elems == 1) continue;
    for (const bool weighted : {false, true}) {
      const std::vector<float> theirs =
          floats(std::string(format.name) + (weighted ? ".imat" : ".noimat") + ".deq.f32");
      if (theirs.empty()) continue;
      const float* w = weighted ? weights.data() : nullptr;
      const std::vector<float> ours = quantized(format, x, w);
      CAPTURE(std::string(format.name));
      CAPTURE(weighted);
      std::string ratios;
      for (size_t r = 0; r < kRows; ++r) {
        const double found = error_of(x, ours, w, r, r + 1), limit = error_of(x, theirs, w, r, r + 1);
        char text[16];
        std::snprintf(text, sizeof text, " %.3f", limit > 0 ? found / limit : 1.0);
        ratios += text;
      }
      CAPTURE(ratios);
      const double found = error_of(x, ours, w, 0, kRows), limit = error_of(x, theirs, w, 0, kRows);
      CHECK(found <= limit);
    }
  }
}

TEST_CASE("rows of three values survive the ternary formats exactly") {
  for (const tensor::DType type : {tensor::DType::tq1_0, tensor::DType::tq2_0, tensor::DType::q2_0}) {
    const quant::FormatInfo& format = *quant::find_format(type);
    CAPTURE(std::string(format.name));
    std::vector<std::byte> blocks(kCols / format.block_elems * format.block_bytes);
    std::vector<float> x(kCols), weights(kCols), out(kCols);
    uint32_t random = 1;
    for (const float size : {1.0f, 0.0123291015625f, 333.25f, 0x1p-24f}) {  // of half precision
      for (size_t i = 0; i < kCols; ++i) {
        random = random * 1664525 + 1013904223;
        x[i] = static_cast<float>(static_cast<int>(random >> 24) % 3 - 1) * size;
        weights[i] = 1e-3f + static_cast<float>(random >> 8 & 0xFFFF);
      }
      for (const float* w : {static_cast<const float*>(nullptr), static_cast<const float*>(weights.data())}) {
        format.encode(x.data(), w, kCols, blocks.data());
        format.decode(blocks.data(), out.data(), kCols);
        CHECK(out == x);
      }
    }
  }
}
