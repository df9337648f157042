// Shape and TensorView: what a tensor looks like in memory, without owning it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "lib/tensor/dtype.h"

namespace quern::tensor {

/// Extents in GGUF order: ne[0] is contiguous (the input features of a linear layer), ne[1] the rows, ne[2] the
/// experts. Extents beyond `rank` are 1.
struct Shape {
  std::array<uint64_t, 4> ne{1, 1, 1, 1};
  uint32_t rank = 0;

  uint64_t cols() const { return ne[0]; }
  uint64_t rows() const { return ne[1] * ne[2] * ne[3]; }
  uint64_t elements() const { return cols() * rows(); }
  bool operator==(const Shape&) const = default;
};

/// "[4096, 32000]", for messages.
std::string to_string(const Shape& shape);

/// A contiguous tensor somewhere in memory: rows of ne[0] elements, each row a whole number of blocks of its type.
/// Non-owning; `data` need not be aligned.
struct TensorView {
  const std::byte* data = nullptr;
  DType type = DType::f32;
  Shape shape;
  uint64_t row_bytes = 0;
  float scale = 1;  ///< Of the whole tensor: its elements are what the type's decoding gives, times this.

  const std::byte* row(uint64_t r) const { return data + r * row_bytes; }
  uint64_t size_bytes() const { return row_bytes * shape.rows(); }
};

}  // namespace quern::tensor
