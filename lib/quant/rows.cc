#include "lib/quant/rows.h"

namespace quern::quant {

void RowReader::read(uint64_t begin, uint64_t end, float* out) {
  const std::byte* const rows = view_.rows(begin, end, bytes_);
  const size_t cols = view_.shape.cols(), n = (end - begin) * cols;
  const bool ordered = view_.column_order == nullptr;
  if (!ordered) unordered_.resize(n);
  float* const decoded = ordered ? out : unordered_.data();
  format_.decode(rows, decoded, n);
  if (view_.scale != 1) {
    for (size_t i = 0; i < n; ++i) decoded[i] *= view_.scale;
  }
  for (size_t row = 0; !ordered && row < n; row += cols) {
    for (size_t i = 0; i < cols; ++i) out[row + view_.column_order[i]] = decoded[row + i];
  }
}

}  // namespace quern::quant
