// Arrays that have the bytes of each row together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/hf/module.h"

namespace quern::hf {

class RowBytes {
 public:
  RowBytes(const Module& module, const io::SafeTensor& array, uint64_t n_rows)
      : bytes_(array.bytes), row_bytes_(array.bytes.size() / n_rows), pages_(module.pages(array)) {}
  const std::byte* row(uint64_t r) const { return bytes_.data() + r * row_bytes_; }
  /// See tensor::RowSource::release().
  void release(uint64_t begin, uint64_t end) const {
    pages_.release(bytes_.subspan(begin * row_bytes_, (end - begin) * row_bytes_));
  }

 private:
  std::span<const std::byte> bytes_;
  uint64_t row_bytes_;
  Pages pages_;
};

}  // namespace quern::hf
