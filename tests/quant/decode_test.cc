// The scalar decoders against vectors made with the reference library: equal to the bit, at any alignment.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "lib/base/half.h"
#include "lib/quant/bitsandbytes.h"
#include "lib/quant/format.h"
#include "lib/quant/fp8.h"
#include "tests/quant/test_data.h"

using namespace quern;

namespace {

size_t first_difference(const std::vector<float>& found, const std::vector<std::byte>& expected) {
  for (size_t i = 0; i < found.size(); ++i) {
    if (std::memcmp(&found[i], expected.data() + i * sizeof(float), sizeof(float)) != 0) return i;
  }
  return found.size();
}

size_t decoded_files(const quant::FormatInfo& format, const std::string& kind) {
  const std::vector<std::byte> blocks = read_quant_data(std::string(format.name) + "." + kind + ".q");
  if (blocks.empty()) return 0;
  const std::vector<std::byte> expected = read_quant_data(std::string(format.name) + "." + kind + ".deq.f32");
  CAPTURE(std::string(format.name));
  CAPTURE(kind);
  const size_t n = blocks.size() / format.block_bytes * format.block_elems;
  REQUIRE(blocks.size() % format.block_bytes == 0);
  REQUIRE(expected.size() == n * sizeof(float));
  for (const size_t shift : {0, 1, 3}) {  // no alignment may be relied on
    std::vector<std::byte> shifted(blocks.size() + shift);
    std::memcpy(shifted.data() + shift, blocks.data(), blocks.size());
    std::vector<float> found(n, -1.f);
    format.decode(shifted.data() + shift, found.data(), n);
    CHECK(first_difference(found, expected) == n);
  }
  return 1;
}

}  // namespace

TEST_CASE("every quantized format decodes the reference vectors bit for bit") {
  for (const quant::FormatInfo& format : quant::formats()) {
    if (format.block_elems == 1) continue;
    const size_t files = decoded_files(format, "noimat") + decoded_files(format, "imat") +
                         decoded_files(format, "layer") + decoded_files(format, "randbits");
    CAPTURE(std::string(format.name));
    CHECK(files >= (format.type == tensor::DType::f8_e5m2 ? 1 : 2));
  }
}

TEST_CASE("F16 and BF16 decode every bit pattern; F32 is copied") {
  const auto* f16 = quant::find_format(tensor::DType::f16);
  const auto* bf16 = quant::find_format(tensor::DType::bf16);
  const auto* f32 = quant::find_format(tensor::DType::f32);
  REQUIRE((f16 && bf16 && f32));
  std::vector<uint16_t> patterns(65536);
  for (size_t i = 0; i < patterns.size(); ++i) patterns[i] = static_cast<uint16_t>(i);
  const auto* bytes = reinterpret_cast<const std::byte*>(patterns.data());
  std::vector<float> half(65536), brain(65536), copy(65536);
  f16->decode(bytes, half.data(), 65536);
  bf16->decode(bytes, brain.data(), 65536);
  f32->decode(reinterpret_cast<const std::byte*>(half.data()), copy.data(), 65536);
  CHECK(std::memcmp(copy.data(), half.data(), 65536 * sizeof(float)) == 0);
  size_t wrong = 0;
  for (uint32_t i = 0; i < 65536; ++i) {
    const int exponent = static_cast<int>(i >> 10 & 31), mantissa = static_cast<int>(i & 1023);
    const double sign = i & 0x8000 ? -1.0 : 1.0;
    const double value = sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
    if (exponent == 31) {
      wrong += mantissa ? !std::isnan(half[i]) : half[i] != static_cast<float>(sign * HUGE_VAL);
    } else {
      wrong += std::bit_cast<uint32_t>(half[i]) != std::bit_cast<uint32_t>(static_cast<float>(value));
    }
    wrong += std::bit_cast<uint32_t>(half[i]) != std::bit_cast<uint32_t>(base::f16_to_f32(patterns[i]));
    wrong += std::bit_cast<uint32_t>(brain[i]) != i << 16;
  }
  CHECK(wrong == 0);
}

TEST_CASE("the map of quantized scales is that of the checkpoints") {
  const std::vector<std::byte> expected = read_quant_data("dynamic_map.f32");
  REQUIRE(expected.size() == sizeof quant::kDynamicMap);
  CHECK(std::memcmp(quant::kDynamicMap.data(), expected.data(), expected.size()) == 0);
}

TEST_CASE("8-bit floats decode every bit pattern") {
  size_t wrong = 0;
  for (uint32_t i = 0; i < 256; ++i) {
    const auto bits = static_cast<uint8_t>(i);
    const double sign = i & 0x80 ? -1 : 1;
    const int e4 = static_cast<int>(i >> 3 & 15), m3 = static_cast<int>(i & 7);
    const double e4m3 = sign * (e4 ? std::ldexp(8 + m3, e4 - 10) : std::ldexp(m3, -9));
    const float found = quant::e4m3_to_f32(bits);
    wrong += e4 == 15 && m3 == 7 ? !std::isnan(found) : static_cast<double>(found) != e4m3;
    const int e5 = static_cast<int>(i >> 2 & 31), m2 = static_cast<int>(i & 3);
    const double e5m2 = sign * (e5 ? std::ldexp(4 + m2, e5 - 17) : std::ldexp(m2, -16));
    const float other = quant::e5m2_to_f32(bits);
    if (e5 < 31) wrong += static_cast<double>(other) != e5m2;
    if (e5 == 31) wrong += m2 ? !std::isnan(other) : other != static_cast<float>(sign * HUGE_VAL);
  }
  CHECK(wrong == 0);
}

TEST_CASE("F16 and BF16 rounding agrees with the reference vectors") {
  const std::vector<std::byte> input = read_quant_data("input.f32"), f16 = read_quant_data("F16.q"),
                               bf16 = read_quant_data("BF16.q");
  const size_t n = input.size() / sizeof(float);
  REQUIRE(n == 8 * 512);
  REQUIRE(f16.size() == 2 * n);
  REQUIRE(bf16.size() == 2 * n);
  size_t wrong = 0;
  for (size_t i = 0; i < n; ++i) {
    float value;
    std::memcpy(&value, input.data() + 4 * i, 4);
    const uint16_t half = base::f32_to_f16(value), brain = base::f32_to_bf16(value);
    wrong += std::memcmp(&half, f16.data() + 2 * i, 2) != 0;
    wrong += std::memcmp(&brain, bf16.data() + 2 * i, 2) != 0;
  }
  CHECK(wrong == 0);
}
