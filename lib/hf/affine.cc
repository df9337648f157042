#include "lib/hf/affine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "lib/base/half.h"
#include "lib/quant/int2-inl.h"
#include "lib/quant/int3-inl.h"
#include "lib/quant/int4-inl.h"
#include "lib/quant/int4_32-inl.h"
#include "lib/quant/int8-inl.h"
#include "lib/quant/q4_0-inl.h"
#include "lib/quant/q8_0-inl.h"

namespace quern::hf {

using tensor::DType;

namespace {

template <class Format, class Code, int kBias>
void write_block(const uint8_t* codes, uint16_t d, uint32_t zero, std::byte* out) {
  Code biased[Format::kBlockElems];
  for (uint32_t i = 0; i < Format::kBlockElems; ++i) biased[i] = static_cast<Code>(codes[i] - kBias);
  typename Format::Block block;
  if constexpr (requires { block.z; }) {
    Format::pack(biased, d, static_cast<Code>(static_cast<int>(zero) - kBias), block);
  } else {
    Format::pack(biased, d, block);
  }
  quant::store(block, out);
}

/// A type that may hold such a matrix, if its blocks lie in one group each.
struct Form {
  uint32_t bits;
  DType type;
  uint32_t elems;
  bool centred;  ///< all zero points are 2^(bits - 1)
  void (*write)(const uint8_t* codes, uint16_t d, uint32_t zero, std::byte* out);
};
// Of each number of bits in the order of preference.
constexpr Form kForms[] = {
    {2, DType::int2, 128, false, write_block<quant::INT2, uint8_t, 0>},
    {2, DType::int4_32, 32, false, write_block<quant::INT4_32, uint8_t, 0>},
    {3, DType::int3, 128, false, write_block<quant::INT3, uint8_t, 0>},
    {3, DType::int4_32, 32, false, write_block<quant::INT4_32, uint8_t, 0>},
    {4, DType::int4, 128, false, write_block<quant::INT4, uint8_t, 0>},
    {4, DType::q4_0, 32, true, write_block<quant::Q4_0, int8_t, 8>},
    {4, DType::int4_32, 32, false, write_block<quant::INT4_32, uint8_t, 0>},
    {8, DType::int8, 128, false, write_block<quant::INT8, int8_t, 128>},
    {8, DType::q8_0, 32, true, write_block<quant::Q8_0, int8_t, 128>},
};

uint64_t group_at(const Affine& a, uint64_t column) {
  return a.group_of.empty() ? column / a.group_size : a.group_of[column];
}

float scale_at(const Affine& a, uint64_t row, uint64_t group) {
  return a.scales[row * a.row_step + group * a.group_step];
}

/// Whether every run of `elems` columns lies in one group.
bool groups_hold(const Affine& a, uint64_t elems) {
  if (a.extents.cols % elems != 0) return false;
  if (a.group_of.empty()) return a.group_size % elems == 0 || a.group_size >= a.extents.cols;
  for (uint64_t c = 0; c < a.extents.cols; ++c) {
    if (a.group_of[c] != a.group_of[c / elems * elems]) return false;
  }
  return true;
}

bool all_centred(const Affine& a) {
  for (uint64_t row = 0; row < a.extents.all_rows(); ++row) {
    for (uint64_t group = 0; group < a.n_groups; ++group) {
      if (a.codes->zero(row, group) != 1u << (a.bits - 1)) return false;
    }
  }
  return true;
}

/// nullptr: none.
const Form* form_of(const Affine& a) {
  for (const Form& form : kForms) {
    if (form.bits == a.bits && groups_hold(a, form.elems) && (!form.centred || all_centred(a))) return &form;
  }
  return nullptr;
}

/// The power of two by which scales are divided so that they are ordinary numbers in half precision. Where even then
/// some are so small that it has fewer bits for them, the error is below 2^-38 of the largest.
int half_exponent(const Numbers& scales) {
  if (scales.halves()) return 0;
  float largest = 0, smallest = INFINITY;
  for (uint64_t i = 0; i < scales.size(); ++i) {
    const float scale = std::fabs(scales[i]);
    largest = std::max(largest, scale);
    if (scale > 0) smallest = std::min(smallest, scale);
  }
  if (largest == 0 || (largest <= 65504.0f && smallest >= 0x1p-14f)) return 0;
  return std::max(std::ilogb(largest) - 14, -126);
}

/// Makes the rows of one matrix a tile at a time: a square of codes that stays in the cache, out of which the blocks
/// are written.
class AffineSource final : public tensor::RowSource {
 public:
  AffineSource(Affine affine, const Form* form, uint64_t row_bytes, int exponent)
      : a_(std::move(affine)), form_(form), row_bytes_(row_bytes), to_half_(std::ldexp(1.0f, -exponent)) {}

  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    const uint64_t cols = a_.extents.cols;
    // Columns in another order need whole rows of codes.
    const uint64_t tile_rows = a_.order.empty() ? 128 : 32, tile_cols = a_.order.empty() ? 256 : cols;
    const uint64_t stride = (std::min(tile_cols, cols) + 31) / 32 * 32;
    std::vector<uint8_t> codes(stride * tile_rows), ordered(a_.order.empty() ? 0 : cols);
    for (uint64_t first = begin / 8 * 8; first < end; first += tile_rows) {
      const uint64_t n_rows = std::min(tile_rows, end - first);
      for (uint64_t column = 0; column < cols; column += tile_cols) {
        const uint64_t n_cols = std::min(tile_cols, cols - column);
        a_.codes->read(first, n_rows, column, n_cols, codes.data(), stride);
        for (uint64_t row = std::max(first, begin); row < first + n_rows; ++row) {
          const uint8_t* of_row = codes.data() + (row - first) * stride;
          for (uint64_t i = 0; i < ordered.size(); ++i) ordered[i] = of_row[a_.order[i]];
          write_row(row, column, n_cols, ordered.empty() ? of_row : ordered.data(), out + (row - begin) * row_bytes_);
        }
      }
    }
  }
  void release(uint64_t begin, uint64_t end) const override { a_.codes->release(begin, end); }

  const Affine& affine() const { return a_; }

 private:
  /// Columns [column, column + n) of a row, of which `out` is the beginning.
  void write_row(uint64_t row, uint64_t column, uint64_t n, const uint8_t* codes, std::byte* out) const {
    if (form_ == nullptr) return write_floats(row, column, n, codes, out);
    const uint64_t block_bytes = row_bytes_ / (a_.extents.cols / form_->elems);
    out += column / form_->elems * block_bytes;
    for (uint64_t i = 0; i < n; i += form_->elems, out += block_bytes) {
      const uint64_t group = group_at(a_, column + i);
      const uint16_t d = base::f32_to_f16(scale_at(a_, row, group) * to_half_);
      form_->write(codes + i, d, a_.codes->zero(row, group), out);
    }
  }
  void write_floats(uint64_t row, uint64_t column, uint64_t n, const uint8_t* codes, std::byte* out) const {
    for (uint64_t i = 0; i < n; ++i) {
      const uint64_t group = group_at(a_, column + i);
      const int q = static_cast<int>(codes[i]) - static_cast<int>(a_.codes->zero(row, group));
      const float value = scale_at(a_, row, group) * static_cast<float>(q);
      std::memcpy(out + (column + i) * sizeof value, &value, sizeof value);
    }
  }

  const Affine a_;
  const Form* const form_;
  const uint64_t row_bytes_;
  const float to_half_;
};

/// Whether groups are runs of one size, the first ones of the sorted columns.
bool are_runs(const std::vector<uint32_t>& group_of, uint64_t size) {
  for (uint64_t c = 0; c < group_of.size(); ++c) {
    if (group_of[c] != c / size) return false;
  }
  return true;
}

}  // namespace

Status use_group_index(const Module& module, const io::SafeTensor& index, Affine& affine) {
  const uint64_t shape[] = {affine.extents.cols};
  QUERN_CHECK(module.check_form(index, io::SafeType::i32, shape));
  std::vector<uint32_t> group_of(affine.extents.cols);
  std::memcpy(group_of.data(), index.bytes.data(), index.bytes.size());
  for (uint64_t c = 0; c < group_of.size(); ++c) {
    if (group_of[c] < affine.n_groups) continue;
    return module.mismatch(index, cat("groups below ", affine.n_groups),
                           cat(static_cast<int32_t>(group_of[c]), " at element ", c));
  }
  if (!std::is_sorted(group_of.begin(), group_of.end())) {
    affine.order.resize(group_of.size());
    std::iota(affine.order.begin(), affine.order.end(), 0u);
    std::stable_sort(affine.order.begin(), affine.order.end(),
                     [&](uint32_t i, uint32_t j) { return group_of[i] < group_of[j]; });
    std::sort(group_of.begin(), group_of.end());
  }
  const auto first = std::upper_bound(group_of.begin(), group_of.end(), group_of[0]) - group_of.begin();
  affine.group_size = static_cast<uint64_t>(first);
  if (!are_runs(group_of, affine.group_size)) affine.group_of = std::move(group_of);
  return {};
}

Matrix affine_matrix(Affine affine, std::vector<const io::SafeTensor*> arrays) {
  const Form* const form = form_of(affine);
  const int exponent = form ? half_exponent(affine.scales) : 0;
  Matrix out = matrix_of(form ? form->type : DType::f32, affine.extents, std::move(arrays));
  if (form == nullptr) {
    add_note(out, cat(affine.bits, "-bit codes in groups of ", affine.group_size, " of ", affine.extents.cols,
                      " columns fit no type: run as F32"));
  }
  out.view.scale = std::ldexp(affine.factor, exponent);
  const auto source = std::make_shared<AffineSource>(std::move(affine), form, out.view.row_bytes, exponent);
  if (!source->affine().order.empty()) out.view.column_order = source->affine().order.data();
  set_source(out, source);
  return out;
}

}  // namespace quern::hf
