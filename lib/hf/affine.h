// What GPTQ, AWQ, the integers of compressed-tensors and LLM.int8() have in common, however they pack it: whole numbers
// q of a few bits, with a scale and a zero point for each group of columns of a row.
//   value = scale[row][group] * (q - zero[row][group])
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "lib/base/status.h"
#include "lib/hf/module.h"

namespace quern::hf {

/// The whole numbers of a matrix. Thread-safe; what could be wrong with them was found when it was made.
class Codes {
 public:
  virtual ~Codes() = default;
  /// Rows [row, row + n_rows) and columns [column, column + n_columns), to out; the rows there are `stride` apart.
  /// `row` is a multiple of 8, `column` one of 32. Up to the next multiples of 8 rows and of 32 columns anything may be
  /// written.
  virtual void read(uint64_t row, uint64_t n_rows, uint64_t column, uint64_t n_columns, uint8_t* out,
                    size_t stride) const = 0;
  virtual uint32_t zero(uint64_t row, uint64_t group) const = 0;
  /// See tensor::RowSource::release().
  virtual void release(uint64_t begin, uint64_t end) const = 0;
};

struct Affine {
  Extents extents;
  uint32_t bits = 0;  ///< 2, 3, 4 or 8; q and zero points are below 2^bits
  std::shared_ptr<const Codes> codes;
  Numbers scales;                         ///< that of a row and group is at row * row_step + group * group_step
  uint64_t row_step = 0, group_step = 0;  ///< 0: one for all
  uint64_t n_groups = 1;
  uint64_t group_size = 0;         ///< columns of a group, in the order below; the last one may have fewer
  std::vector<uint32_t> group_of;  ///< of each column in that order, where groups are not all of one size
  std::vector<uint32_t> order;     ///< see tensor::TensorView::column_order; empty: the columns as they are
  float factor = 1;                ///< of all values, besides
};

/// Takes the groups from an index, I32 [cols]: the group of each column, below n_groups. The columns are put in the
/// order of their groups, which may have any sizes.
Status use_group_index(const Module& module, const io::SafeTensor& index, Affine& affine);

/// The matrix in the smallest type that holds it: q and zero points as they are, scales in half precision.
Matrix affine_matrix(Affine affine, std::vector<const io::SafeTensor*> arrays);

}  // namespace quern::hf
