// The numbers of a tensor's rows, whatever its type and wherever its bytes are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "lib/quant/format.h"
#include "lib/tensor/view.h"

namespace quern::quant {

/// Reads rows as float32: decoded, in the order of the columns, times the tensor's scale. Keeps working memory from
/// call to call: one for each thread.
class RowReader {
 public:
  /// `format` is that of the view's type. What the view points to outlives the reader.
  RowReader(const tensor::TensorView& view, const FormatInfo& format) : view_(view), format_(format) {}
  /// Rows [begin, end) to out, one behind the other.
  void read(uint64_t begin, uint64_t end, float* out);

 private:
  tensor::TensorView view_;
  const FormatInfo& format_;
  std::vector<std::byte> bytes_;
  std::vector<float> unordered_;
};

}  // namespace quern::quant
