// The encoders against blocks that the reference library made of the same numbers: never a larger error.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "hwy/highway.h"
#include "lib/quant/all_formats-inl.h"
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

TEST_CASE("NF4 and FP4 are the codes and scales of bitsandbytes") {
  for (const tensor::DType type : {tensor::DType::nf4, tensor::DType::fp4}) {
    const quant::FormatInfo& format = *quant::find_format(type);
    CAPTURE(std::string(format.name));
    const std::vector<float> x = floats(std::string(format.name) + ".layer.x.f32");
    const std::vector<std::byte> expected = read_quant_data(std::string(format.name) + ".layer.q");
    REQUIRE((x.size() == 1024 && expected.size() == x.size() / 64 * 36));
    std::vector<std::byte> found(expected.size());
    format.encode(x.data(), nullptr, x.size(), found.data());
    size_t wrong = 0;
    for (size_t i = 0; i < x.size() / 64; ++i) {
      const auto a = quant::load<quant::FP4::Block>(found.data() + i * 36);
      const auto b = quant::load<quant::FP4::Block>(expected.data() + i * 36);
      wrong += a.absmax != b.absmax;
      for (int e = 0; e < 64; ++e) {
        const int code = quant::FP4::code(a, e), other = quant::FP4::code(b, e);
        const bool both_zero = type == tensor::DType::fp4 && code % 8 == 0 && other % 8 == 0;  // two codes for 0
        wrong += code != other && !both_zero;
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("NF4_DQ has the codes of NF4 and scales no worse than those of bitsandbytes") {
  const std::vector<float> x = floats("NF4_DQ.layer.x.f32");
  const std::vector<std::byte> nf4 = read_quant_data("NF4.layer.q"), theirs = read_quant_data("NF4_DQ.layer.q");
  REQUIRE((x.size() == 1024 && nf4.size() == 16 * 36 && theirs.size() == 4 * 140));
  std::vector<std::byte> found(theirs.size());
  double error = 0, limit = 0;
  for (size_t r = 0; r < 4; ++r) {
    quant::NF4_DQ::encode(x.data() + r * 256, nullptr, 256, found.data() + r * 140);
    const auto a = quant::load<quant::NF4_DQ::Block>(found.data() + r * 140);
    const auto b = quant::load<quant::NF4_DQ::Block>(theirs.data() + r * 140);
    CHECK(std::memcmp(a.qs, b.qs, sizeof a.qs) == 0);
    for (int e = 0; e < 256; e += 64) {
      const auto exact = quant::load<quant::NF4::Block>(nf4.data() + (r * 4 + static_cast<size_t>(e) / 64) * 36).absmax;
      error += std::fabs(quant::NF4_DQ::absmax(a, e) - exact);
      limit += std::fabs(quant::NF4_DQ::absmax(b, e) - exact);
    }
  }
  CHECK(error <= limit);
}

namespace {

/// The least error of value = d * (q - z) for any half-precision d and any z, over a fine net of scales.
double least_error(const float* x, const float* weights, size_t n, int top) {
  float low = 0, high = 0;
  for (size_t i = 0; i < n; ++i) low = std::min(low, x[i]), high = std::max(high, x[i]);
  double best = 1e300;
  for (int z = 0; z <= top; ++z) {
    for (int k = 0; k < 600; ++k) {
      const double d = (high - low) / top * std::pow(2.0, 0.3 - k * 0.0045);
      double sum = 0;
      for (size_t i = 0; i < n; ++i) {
        const double level = std::clamp(std::nearbyint(x[i] / d), -1.0 * z, 1.0 * (top - z)), miss = x[i] - d * level;
        sum += (weights == nullptr ? 1 : weights[i]) * miss * miss;
      }
      best = std::min(best, sum);
    }
  }
  return best;
}

double block_error(const quant::FormatInfo& format, const float* x, const float* weights) {
  std::vector<std::byte> block(format.block_bytes);
  std::vector<float> y(format.block_elems);
  format.encode(x, weights, y.size(), block.data());
  format.decode(block.data(), y.data(), y.size());
  double sum = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const double miss = static_cast<double>(x[i]) - y[i];
    sum += (weights == nullptr ? 1 : weights[i]) * miss * miss;
  }
  return sum;
}

constexpr tensor::DType kZeroPointTypes[] = {tensor::DType::int4, tensor::DType::int4_32, tensor::DType::int3,
                                             tensor::DType::int2};

}  // namespace

TEST_CASE("formats with zero points: no larger error than what the checkpoints' tools left") {
  for (const tensor::DType type :
       {tensor::DType::int4, tensor::DType::int4_32, tensor::DType::int3, tensor::DType::int2, tensor::DType::int8}) {
    const quant::FormatInfo& format = *quant::find_format(type);
    CAPTURE(std::string(format.name));
    const std::vector<float> x = floats(std::string(format.name) + ".layer.x.f32"),
                             y = floats(std::string(format.name) + ".layer.deq.f32");
    REQUIRE((x.size() == 1024 && y.size() == x.size()));
    for (size_t i = 0; i < x.size(); i += format.block_elems) {
      double limit = 0;
      for (size_t e = i; e < i + format.block_elems; ++e) limit += std::pow(static_cast<double>(x[e]) - y[e], 2);
      CHECK(block_error(format, x.data() + i, nullptr) <= limit);
    }
  }
}

TEST_CASE("formats with zero points: the error is near the least possible one") {
  const std::vector<float> x = floats("input.f32"), weights = floats("imatrix.f32");
  REQUIRE((x.size() == kRows * kCols && weights.size() == kCols));
  for (const tensor::DType type : kZeroPointTypes) {
    const quant::FormatInfo& format = *quant::find_format(type);
    CAPTURE(std::string(format.name));
    double found = 0, least = 0;
    for (size_t r = 0; r < kRows; ++r) {
      CAPTURE(r);
      for (const float* w : {static_cast<const float*>(nullptr), weights.data()}) {
        const float* const row = x.data() + r * kCols;
        const double error = block_error(format, row, w);
        const double limit = least_error(row, w, format.block_elems, format.level_access.levels.high);
        CHECK(error <= 1.3 * limit + 1e-14);
        if (limit > 0) found += error / limit, ++least;
      }
    }
    CHECK(found < 1.05 * least);
  }
}

TEST_CASE("encoders of checkpoints' formats: zeros, one sign, one value, extremes") {
  for (const quant::FormatInfo& format : quant::formats()) {
    if (quant::find_type(format.name)) continue;
    CAPTURE(std::string(format.name));
    REQUIRE((format.encode != nullptr));
    const size_t n = 512;
    std::vector<std::byte> blocks(n / format.block_elems * format.block_bytes);
    std::vector<float> x(n), y(n);
    for (const float size : {0.0f, 1.0f, -1.0f, 1e-3f, -6e4f, 1e-6f}) {
      for (const float spread : {0.0f, 0.5f, 1.0f}) {
        for (size_t i = 0; i < n; ++i) x[i] = size * (1 - spread * static_cast<float>(i % 61) / 60);
        format.encode(x.data(), nullptr, n, blocks.data());
        format.decode(blocks.data(), y.data(), n);
        double worst = 0;
        for (size_t i = 0; i < n; ++i) worst = std::max(worst, std::fabs(static_cast<double>(x[i]) - y[i]));
        CAPTURE(size);
        CAPTURE(spread);
        // A quarter: the widest gap of FP4, a third, has 0.17 on either side; INT2 has four values.
        const double limit = spread == 0 ? 0.01 : 0.25;
        CHECK(worst <= limit * std::fabs(size) + 1e-7);
      }
    }
  }
}

TEST_CASE("8-bit floats are rounded to the nearest, ties to even, and stop at the largest") {
  const auto check = [](uint8_t (*encode)(float), float (*decode)(uint8_t), uint8_t last) {
    size_t wrong = 0;
    for (uint8_t code = 0; code < last; ++code) {
      const float a = decode(code), b = decode(static_cast<uint8_t>(code + 1)), middle = (a + b) / 2;
      const auto even = static_cast<uint8_t>(code + code % 2), next = static_cast<uint8_t>(code + 1);
      wrong += encode(a) != code || encode(-a) != (code | 0x80);
      wrong += encode(middle) != even || encode(-middle) != (even | 0x80);
      wrong += encode(std::nextafter(middle, 0.0f)) != code || encode(std::nextafter(middle, 1e9f)) != next;
    }
    const float largest = decode(last);
    for (const float above : {largest, largest * 1.1f, largest * 100, HUGE_VALF}) {
      wrong += encode(above) != last || encode(-above) != (last | 0x80);
    }
    return wrong;
  };
  CHECK(check(quant::f32_to_e4m3, quant::e4m3_to_f32, 0x7E) == 0);
  CHECK(check(quant::f32_to_e5m2, quant::e5m2_to_f32, 0x7B) == 0);
  CHECK(quant::e4m3_to_f32(0x7E) == 448);
  CHECK(quant::e5m2_to_f32(0x7B) == 57344);
}

TEST_CASE("blocks of 8-bit floats: the largest magnitude becomes the largest float, the others the nearest") {
  const std::vector<float> x = floats("input.f32");
  for (const tensor::DType type : {tensor::DType::f8_e4m3, tensor::DType::f8_e5m2}) {
    const quant::FormatInfo& format = *quant::find_format(type);
    const bool e4m3 = type == tensor::DType::f8_e4m3;
    std::vector<std::byte> block(format.block_bytes);
    std::vector<float> y(128);
    size_t wrong = 0;
    for (size_t i = 0; i < x.size(); i += 128) {
      format.encode(x.data() + i, nullptr, 128, block.data());
      format.decode(block.data(), y.data(), 128);
      float highest = 0;
      for (size_t e = 0; e < 128; ++e) highest = std::max(highest, std::fabs(x[i + e]));
      const double scale = quant::load<float>(block.data());
      wrong += std::fabs(scale * (e4m3 ? 448 : 57344) - highest) > 1e-6 * highest;
      for (size_t e = 0; e < 128; ++e) {
        double nearest = 1e300;
        for (int code = 0; code < 256; ++code) {
          const double value =
              e4m3 ? quant::e4m3_to_f32(static_cast<uint8_t>(code)) : quant::e5m2_to_f32(static_cast<uint8_t>(code));
          if (std::isfinite(value)) nearest = std::min(nearest, std::fabs(scale * value - x[i + e]));
        }
        wrong += std::fabs(static_cast<double>(y[e]) - x[i + e]) > nearest + 1e-6 * highest;
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("encoders make the same bytes on every SIMD target") {
  const std::vector<float> x = floats("input.f32"), weights = floats("imatrix.f32");
  REQUIRE((x.size() == kRows * kCols && weights.size() == kCols));
  for (const quant::FormatInfo& format : quant::formats()) {
    if (format.encode == nullptr) continue;
    CAPTURE(std::string(format.name));
    for (const float* w : {static_cast<const float*>(nullptr), weights.data()}) {
      std::vector<std::byte> first, blocks(kCols / format.block_elems * format.block_bytes);
      for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        format.encode(x.data(), w, kCols, blocks.data());
        if (first.empty()) first = blocks;
        CHECK(blocks == first);
      }
      hwy::SetSupportedTargetsForTest(0);
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
