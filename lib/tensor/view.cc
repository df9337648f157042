#include "lib/tensor/view.h"

namespace quern::tensor {

std::string to_string(const Shape& shape) {
  std::string out = "[";
  for (uint32_t i = 0; i < shape.rank; ++i) out += (i ? ", " : "") + std::to_string(shape.ne[i]);
  return out + "]";
}

void RowSource::release(uint64_t, uint64_t) const {}

const std::byte* TensorView::rows(uint64_t begin, uint64_t end, std::vector<std::byte>& scratch) const {
  if (source == nullptr) return row(begin);
  scratch.resize((end - begin) * row_bytes);
  source->read(first_row + begin, first_row + end, scratch.data());
  return scratch.data();
}

TensorView TensorView::slice(uint64_t r, uint64_t n) const {
  TensorView out = *this;
  out.shape = {{shape.cols(), n, 1, 1}, 2};
  if (source != nullptr) {
    out.first_row = first_row + r;
  } else {
    out.data = row(r);
  }
  return out;
}

}  // namespace quern::tensor
