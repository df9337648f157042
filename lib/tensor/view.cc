#include "lib/tensor/view.h"

namespace quern::tensor {

std::string to_string(const Shape& shape) {
  std::string out = "[";
  for (uint32_t i = 0; i < shape.rank; ++i) out += (i ? ", " : "") + std::to_string(shape.ne[i]);
  return out + "]";
}

}  // namespace quern::tensor
