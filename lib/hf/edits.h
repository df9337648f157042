// Matrices made of other matrices without touching their numbers: rows in another order, slices of rows, stacks. They
// move whole rows of whatever type, when those are asked for, so that a permuted tensor takes no memory.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/status.h"
#include "lib/hf/matrix.h"

namespace quern::hf {

/// Which rows, in which order: boxes of three nested steps, one behind the other.
class RowMap {
 public:
  struct Box {
    uint64_t first;
    std::array<uint64_t, 3> n;     ///< the slowest first
    std::array<uint64_t, 3> step;  ///< in rows
    uint64_t rows() const { return n[0] * n[1] * n[2]; }
  };

  RowMap() = default;
  explicit RowMap(std::vector<Box> boxes);
  /// Rows [first, first + n).
  static RowMap slice(uint64_t first, uint64_t n) { return RowMap({{first, {1, 1, n}, {0, 0, 1}}}); }

  uint64_t rows() const { return rows_; }
  /// Where row r comes from.
  uint64_t at(uint64_t r) const;
  /// Whether it takes rows one behind the other.
  bool contiguous() const;

 private:
  std::vector<Box> boxes_;
  uint64_t rows_ = 0;
};

// Matrices may be stacks: then each of the stack. `checkpoint` is the one that the matrix was read from.

struct Stack {
  Matrix matrix;
  std::vector<float> scales;  ///< of each matrix, where they differ: then the view's is 1
};
/// The matrices one behind the other, of each the rows of `map`; a stack of more than one has rank 3. Where types or
/// orders of columns differ, it is F32. `name` is for messages.
Result<Stack> stacked(const Checkpoint& checkpoint, const std::vector<Matrix>& matrices, const RowMap& map,
                      std::string_view name);

/// Columns become rows. Plain numbers keep their type, others become F32.
Matrix transposed(const Checkpoint& checkpoint, Matrix matrix);

/// Equally long runs of columns in another order: run i is run order[i] of the matrix.
Matrix with_runs(const Checkpoint& checkpoint, Matrix matrix, const std::vector<uint32_t>& order);

/// The numbers as F32.
Matrix decoded(const Checkpoint& checkpoint, Matrix matrix);

/// Of each matrix of the stack.
inline uint64_t rows_of_each(const Matrix& matrix) { return matrix.view.shape.ne[1]; }

}  // namespace quern::hf
