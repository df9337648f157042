// Matrices made of others: the numbers that come out are those that loops over whole matrices would pick.
#include "lib/hf/edits.h"

#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <numeric>

#include "lib/hf/row_maps.h"
#include "lib/quant/format.h"
#include "lib/quant/rows.h"

using namespace quern;
using namespace quern::hf;
using tensor::DType;

namespace {

/// Rows that are made when asked for, out of bytes elsewhere.
struct Copying final : tensor::RowSource {
  explicit Copying(tensor::TensorView from) : view(from) {}
  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    ++reads;
    std::memcpy(out, view.row(begin), (end - begin) * view.row_bytes);
  }
  tensor::TensorView view;
  mutable int reads = 0;
};

/// A matrix of numbers that tell their places, in any type; `matrices` of them one behind the other.
struct Made {
  Matrix matrix;
  std::shared_ptr<std::vector<std::byte>> bytes;
  std::shared_ptr<Copying> source;

  Made(DType type, uint64_t cols, uint64_t rows, uint64_t matrices = 1, float first = 0) {
    const quant::FormatInfo& format = *quant::find_format(type);
    std::vector<float> numbers(cols * rows * matrices);
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = first + static_cast<float>(i * 37 % 101) - 50;
    bytes = std::make_shared<std::vector<std::byte>>(numbers.size() / format.block_elems * format.block_bytes);
    format.encode(numbers.data(), nullptr, numbers.size(), bytes->data());
    matrix.view.type = type;
    matrix.view.data = bytes->data();
    matrix.view.shape = {{cols, rows, matrices, 1}, matrices > 1 ? 3u : 2u};
    matrix.view.row_bytes = cols / format.block_elems * format.block_bytes;
    matrix.keep.push_back(bytes);
  }
  /// The same without data in memory.
  Made& by_source() {
    source = std::make_shared<Copying>(matrix.view);
    matrix.view.data = nullptr;
    matrix.view.source = source.get();
    matrix.keep.push_back(source);
    return *this;
  }
};

std::vector<float> numbers_of(const tensor::TensorView& view, uint64_t step = 5) {
  std::vector<float> out(view.shape.elements());
  quant::RowReader reader(view, *quant::find_format(view.type));
  for (uint64_t row = 0; row < view.shape.rows(); row += step)
    reader.read(row, std::min(row + step, view.shape.rows()), out.data() + row * view.shape.cols());
  return out;
}

/// Row r of the result is row from(r).
std::vector<float> picked(const Matrix& matrix, uint64_t n, const std::function<uint64_t(uint64_t)>& from) {
  const std::vector<float> all = numbers_of(matrix.view);
  std::vector<float> out;
  const auto cols = static_cast<ptrdiff_t>(matrix.view.shape.cols());
  for (uint64_t r = 0; r < n; ++r) {
    const auto row = all.begin() + static_cast<ptrdiff_t>(from(r)) * cols;
    out.insert(out.end(), row, row + cols);
  }
  return out;
}

Stack stack_of(const std::vector<Matrix>& parts, const RowMap& map) {
  auto out = stacked(Checkpoint(), parts, map, "x");
  REQUIRE_MESSAGE(out.has_value(), out.error().message);
  return std::move(*out);
}

constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16, DType::q4_0, DType::q8_0, DType::iq4_nl};

/// Four heads of six rows: halves become neighbours.
RowMap pairs_of_four_heads() {
  io::MetaTable meta;
  REQUIRE(meta.add({"a.attention.head_count", uint64_t{4}}));
  const ModelNumbers extents(meta, "a");
  const arch::HfTensor tensor{"", "", arch::HfForm::linear, arch::HfRows::rotary_pairs, "attention.head_count"};
  return row_map(tensor, 24, extents, 0, "x").value();
}
uint64_t unpaired(uint64_t r) { return r / 6 * 6 + r % 2 * 3 + r % 6 / 2; }

}  // namespace

TEST_CASE("rows are permuted whatever their type") {
  for (const DType type : kTypes) {
    CAPTURE(quant::type_name(static_cast<uint32_t>(type)));
    Made made(type, 64, 24);
    const std::vector<float> expected = picked(made.matrix, 24, unpaired);
    const Stack paired = stack_of({made.matrix}, pairs_of_four_heads());
    CHECK(paired.matrix.view.type == type);
    for (const uint64_t step : {1, 5, 16, 24}) CHECK(numbers_of(paired.matrix.view, step) == expected);
    made.by_source();
    const Stack again = stack_of({made.matrix}, pairs_of_four_heads());
    for (const uint64_t step : {1, 5, 16, 24}) CHECK(numbers_of(again.matrix.view, step) == expected);
  }
}

TEST_CASE("a source is asked for rows that lie together at once") {
  Made made(DType::f32, 4, 24);
  made.by_source();
  const Stack odd = stack_of({made.matrix}, RowMap({{1, {1, 1, 12}, {0, 0, 2}}}));
  CHECK(numbers_of(odd.matrix.view, 12) == picked(made.matrix, 12, [](uint64_t r) { return 2 * r + 1; }));
  made.source->reads = 0;
  numbers_of(odd.matrix.view, 12);
  CHECK(made.source->reads == 1);
}

TEST_CASE("a slice of one matrix is a view of it") {
  const Made made(DType::q8_0, 32, 10);
  const Stack slice = stack_of({made.matrix}, RowMap::slice(3, 4));
  CHECK(slice.matrix.view.data == made.matrix.view.row(3));
  CHECK(slice.matrix.view.source == nullptr);
  CHECK(to_string(slice.matrix.view.shape) == "[32, 4]");
}

TEST_CASE("experts one by one, or in one array, become a stack") {
  const Made a(DType::q4_0, 32, 6), b(DType::q4_0, 32, 6, 1, 3), both(DType::q4_0, 32, 6, 2);
  Stack stack = stack_of({a.matrix, b.matrix}, RowMap::slice(0, 6));
  CHECK(to_string(stack.matrix.view.shape) == "[32, 6, 2]");
  CHECK(stack.scales.empty());
  std::vector<float> expected = numbers_of(a.matrix.view);
  const std::vector<float> second = numbers_of(b.matrix.view);
  expected.insert(expected.end(), second.begin(), second.end());
  CHECK(numbers_of(stack.matrix.view) == expected);
  // of each the second half
  stack = stack_of({both.matrix}, RowMap::slice(3, 3));
  CHECK(to_string(stack.matrix.view.shape) == "[32, 3, 2]");
  CHECK(numbers_of(stack.matrix.view) == picked(both.matrix, 6, [](uint64_t r) { return r / 3 * 6 + 3 + r % 3; }));
}

TEST_CASE("parts with scales of their own keep their type") {
  Made a(DType::q8_0, 32, 2), b(DType::q8_0, 32, 2);
  a.matrix.view.scale = 0.5f;
  b.matrix.view.scale = 2;
  const Stack stack = stack_of({a.matrix, b.matrix}, RowMap::slice(0, 2));
  CHECK(stack.matrix.view.type == DType::q8_0);
  CHECK(stack.matrix.view.scale == 1);
  CHECK(stack.scales == std::vector<float>{0.5f, 2});
}

TEST_CASE("parts of different types become F32") {
  Made a(DType::q8_0, 32, 2), b(DType::f16, 32, 2);
  a.matrix.view.scale = 0.5f;
  const Stack stack = stack_of({a.matrix, b.matrix}, RowMap({{1, {1, 1, 1}, {0, 0, 1}}, {0, {1, 1, 1}, {0, 0, 1}}}));
  CHECK(stack.matrix.view.type == DType::f32);
  CHECK(!stack.matrix.note.empty());
  CHECK(stack.scales.empty());
  std::vector<float> expected = picked(a.matrix, 2, [](uint64_t r) { return 1 - r; });
  const std::vector<float> second = picked(b.matrix, 2, [](uint64_t r) { return 1 - r; });
  expected.insert(expected.end(), second.begin(), second.end());
  CHECK(numbers_of(stack.matrix.view, 3) == expected);
}

TEST_CASE("parts of other extents are an error that names the array") {
  Made a(DType::f32, 4, 6), b(DType::f32, 4, 7);
  b.matrix.arrays.push_back("experts.1.weight");
  const auto out = stacked(Checkpoint(), {a.matrix, b.matrix}, RowMap::slice(0, 6), "x");
  REQUIRE(!out.has_value());
  CHECK(out.error().message.find("experts.1.weight") != std::string::npos);
}

TEST_CASE("columns become rows, of each matrix of a stack") {
  for (const DType type : kTypes) {
    CAPTURE(quant::type_name(static_cast<uint32_t>(type)));
    for (const bool by_source : {false, true}) {
      Made made(type, 32, 6, 2);
      if (by_source) made.by_source();
      const std::vector<float> from = numbers_of(made.matrix.view);
      const Matrix turned = transposed(Checkpoint(), made.matrix);
      const bool plain = type == DType::f32 || type == DType::f16 || type == DType::bf16;
      CHECK(turned.view.type == (plain ? type : DType::f32));
      CHECK(to_string(turned.view.shape) == "[6, 32, 2]");
      std::vector<float> expected;
      for (size_t m = 0; m < 2; ++m) {
        for (size_t c = 0; c < 32; ++c) {
          for (size_t r = 0; r < 6; ++r) expected.push_back(from[(m * 6 + r) * 32 + c]);
        }
      }
      for (const uint64_t step : {1, 7, 64}) CHECK(numbers_of(turned.view, step) == expected);
    }
  }
}

TEST_CASE("runs of columns change places: by blocks where they fit, else by an order of columns") {
  const std::vector<uint32_t> order = {2, 0, 3, 1};
  for (const DType type : kTypes) {
    for (const uint64_t run : {16, 32}) {
      for (const bool ordered : {false, true}) {
        CAPTURE(quant::type_name(static_cast<uint32_t>(type)));
        CAPTURE(run);
        CAPTURE(ordered);
        Made made(type, 4 * run, 5);
        std::vector<uint32_t> own(4 * run);
        std::iota(own.begin(), own.end(), 0u);
        for (uint32_t& column : own) column = (column * 3 + 1) % static_cast<uint32_t>(4 * run);
        if (ordered) made.matrix.view.column_order = own.data();
        const std::vector<float> from = numbers_of(made.matrix.view);
        const Matrix moved = with_runs(Checkpoint(), made.matrix, order);
        CHECK(moved.view.type == type);
        const bool by_blocks = !ordered && run % quant::find_format(type)->block_elems == 0;
        CHECK((moved.view.column_order == nullptr) == by_blocks);
        std::vector<float> expected;
        for (size_t r = 0; r < 5; ++r) {
          for (size_t c = 0; c < 4 * run; ++c) expected.push_back(from[r * 4 * run + order[c / run] * run + c % run]);
        }
        CHECK(numbers_of(moved.view) == expected);
      }
    }
  }
}
