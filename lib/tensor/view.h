// Shape and TensorView: what a tensor looks like in memory, without owning it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

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

/// Makes the rows of a tensor out of bytes that lie otherwise in their file. What can be wrong with those was found
/// when the file was opened. Thread-safe.
class RowSource {
 public:
  virtual ~RowSource() = default;
  /// Rows [begin, end) in the type of the view, one behind the other. Some sources read many rows at once no slower
  /// than one, so ask for 16 or more where you can.
  virtual void read(uint64_t begin, uint64_t end, std::byte* out) const = 0;
  /// These rows will not be read again soon: pages of the file that only they need may be dropped.
  virtual void release(uint64_t begin, uint64_t end) const;
};

/// A tensor somewhere in memory, or made when asked for: rows of ne[0] elements, each row a whole number of blocks of
/// its type. Non-owning; `data` need not be aligned.
struct TensorView {
  const std::byte* data = nullptr;  ///< Rows one behind the other; nullptr where there is a source.
  DType type = DType::f32;
  Shape shape;
  uint64_t row_bytes = 0;
  float scale = 1;  ///< Of the whole tensor: its elements are what the type's decoding gives, times this.
  const RowSource* source = nullptr;  ///< Of the rows, where they are not in memory.
  uint64_t first_row = 0;             ///< Row 0 of this view is that row of the source.
  /// [cols], a permutation: element i of each row belongs to column column_order[i]. nullptr: to column i.
  const uint32_t* column_order = nullptr;

  /// Where there is data.
  const std::byte* row(uint64_t r) const { return data + r * row_bytes; }
  /// Rows [begin, end), one behind the other: where they lie, or made in `scratch`.
  const std::byte* rows(uint64_t begin, uint64_t end, std::vector<std::byte>& scratch) const;
  /// The view of n rows from row r on, as a matrix.
  TensorView slice(uint64_t r, uint64_t n) const;
  uint64_t size_bytes() const { return row_bytes * shape.rows(); }
};

}  // namespace quern::tensor
