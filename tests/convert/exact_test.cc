// Blocks of checkpoints in blocks of GGUF types: where the numbers are the same, and where they cannot be.
#include "lib/convert/exact.h"

#include <doctest/doctest.h>

#include <cstring>

#include "lib/base/half.h"

using namespace quern;
using tensor::DType;

namespace {

/// INT4_32 and INT4: a half-precision scale, a zero point, a zero, codes with elements j and j + 16 in a byte.
std::vector<std::byte> int4_block(size_t elems, float d, uint8_t z, uint32_t seed) {
  std::vector<std::byte> out(4 + elems / 2);
  const uint16_t half = base::f32_to_f16(d);
  std::memcpy(out.data(), &half, 2);
  out[2] = std::byte{z};
  for (size_t i = 4; i < out.size(); ++i) {
    seed = seed * 1664525 + 1013904223;
    out[i] = static_cast<std::byte>(seed >> 24);
  }
  return out;
}

std::vector<float> decoded(DType type, const std::vector<std::byte>& blocks, size_t n) {
  std::vector<float> out(n);
  quant::find_format(type)->decode(blocks.data(), out.data(), n);
  return out;
}

struct Tensor {
  std::vector<std::byte> blocks;
  io::TensorEntry entry;
  Tensor(DType type, uint64_t cols, std::vector<std::byte> bytes) : blocks(std::move(bytes)) {
    const quant::FormatInfo* format = quant::find_format(type);
    entry.name = "x.weight";
    entry.type_id = static_cast<uint32_t>(type);
    entry.view.type = type;
    entry.view.row_bytes = cols / format->block_elems * format->block_bytes;
    entry.view.shape = {{cols, blocks.size() / entry.view.row_bytes, 1, 1}, 2};
    entry.view.data = blocks.data();
  }
};

}  // namespace

TEST_CASE("symmetric 4-bit groups are Q4_0") {
  const auto pool = base::ThreadPool::create(2).value();
  for (const DType type : {DType::int4, DType::int4_32}) {
    const size_t elems = type == DType::int4 ? 128 : 32;
    CAPTURE(elems);
    std::vector<std::byte> blocks;
    for (uint32_t i = 0; i < 40; ++i) {
      const auto block = int4_block(elems, 0.01f * static_cast<float>(i), 8, i);
      blocks.insert(blocks.end(), block.begin(), block.end());
    }
    Tensor tensor(type, 128, blocks);
    REQUIRE(convert::exact_type(tensor.entry, *pool).value() == static_cast<uint32_t>(DType::q4_0));
    const size_t n = elems * 40;
    std::vector<std::byte> out(n / 32 * 18);
    const quant::FormatInfo &from = *quant::find_format(type), &to = *quant::find_format(DType::q4_0);
    REQUIRE(convert::repack(from, to, blocks.data(), 1, n, out.data()));
    CHECK(decoded(DType::q4_0, out, n) == decoded(type, blocks, n));
    // A power of two goes into the scales; another factor would need more digits than they have.
    REQUIRE(convert::repack(from, to, blocks.data(), 0.25f, n, out.data()));
    const std::vector<float> x = decoded(type, blocks, n), y = decoded(DType::q4_0, out, n);
    bool same = true;
    for (size_t i = 0; i < n; ++i) same = same && y[i] == 0.25f * x[i];
    CHECK(same);
    CHECK_FALSE(convert::repack(from, to, blocks.data(), 1.0f / 127, n, out.data()));
  }
}

TEST_CASE("levels that a GGUF type lacks are told") {
  const auto pool = base::ThreadPool::create(1).value();
  std::vector<std::byte> blocks;
  for (uint32_t i = 0; i < 4; ++i) {
    const auto block = int4_block(32, 0.5f, i == 2 ? 3 : 8, i);  // 15 - 3 is no level of Q4_0
    blocks.insert(blocks.end(), block.begin(), block.end());
  }
  CHECK_FALSE(convert::exact_type(Tensor(DType::int4_32, 32, blocks).entry, *pool).value().has_value());

  std::vector<std::byte> wide(132);
  const uint16_t half = base::f32_to_f16(0.125f);
  std::memcpy(wide.data(), &half, 2);
  for (size_t i = 4; i < wide.size(); ++i) wide[i] = static_cast<std::byte>(i * 37);
  for (size_t i = 4; i < wide.size(); ++i) {
    if (wide[i] == std::byte{0x80}) wide[i] = std::byte{0x81};
  }
  CHECK(convert::exact_type(Tensor(DType::int8, 128, wide).entry, *pool).value() == static_cast<uint32_t>(DType::q8_0));
  wide[2] = std::byte{5};  // a zero point: some levels leave the range of a byte
  wide[4] = std::byte{0x80};
  CHECK_FALSE(convert::exact_type(Tensor(DType::int8, 128, wide).entry, *pool).value().has_value());
}

TEST_CASE("GGUF's own types are kept, unless their columns lie in another order") {
  const auto pool = base::ThreadPool::create(1).value();
  Tensor tensor(DType::mxfp4, 32, std::vector<std::byte>(17 * 3));
  CHECK(convert::exact_type(tensor.entry, *pool).value() == static_cast<uint32_t>(DType::mxfp4));
  std::vector<uint32_t> order(32);
  tensor.entry.view.column_order = order.data();
  CHECK_FALSE(convert::exact_type(tensor.entry, *pool).value().has_value());
  CHECK_FALSE(convert::exact_type(Tensor(DType::nf4, 64, std::vector<std::byte>(36)).entry, *pool).value().has_value());
}
