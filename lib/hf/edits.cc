#include "lib/hf/edits.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "lib/base/file.h"
#include "lib/io/names.h"
#include "lib/quant/format.h"
#include "lib/quant/rows.h"

namespace quern::hf {
namespace {

using tensor::DType;
using tensor::RowSource;
using tensor::TensorView;

/// Rows of a source that lie this close together are read in one go with those between them.
constexpr uint64_t kMaxGap = 4;
constexpr uint64_t kMaxParts = 1 << 16;

/// Rows that a view hands on, whose memory may be a mapping of which pages can be dropped.
struct Part {
  TensorView view;
  bool mapped = false;

  void release(uint64_t begin, uint64_t end) const {
    if (view.source != nullptr) return view.source->release(view.first_row + begin, view.first_row + end);
    if (mapped) base::FileBytes::release_mapped({view.row(begin), (end - begin) * view.row_bytes});
  }
};

Part part_of(const Checkpoint& checkpoint, const Matrix& matrix) {
  Part out{matrix.view, false};
  if (matrix.view.data == nullptr || matrix.file_index >= checkpoint.files.size()) return out;
  const base::FileBytes& file = checkpoint.files[matrix.file_index];
  const std::byte *const begin = file.bytes().data(), *const end = begin + file.bytes().size();
  out.mapped = file.mapped() && matrix.view.data >= begin && matrix.view.data < end;
  return out;
}

/// The rows of several parts, in the order of a map.
class Gather final : public RowSource {
 public:
  Gather(std::vector<Part> parts, RowMap map) : parts_(std::move(parts)), map_(std::move(map)) {}

  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    const uint64_t each = map_.rows();
    while (begin < end) {
      const uint64_t part = begin / each, stop = std::min(end, (part + 1) * each);
      const TensorView& view = parts_[part].view;
      if (view.source == nullptr)
        copy(view, begin - part * each, stop - part * each, out);
      else
        fetch(view, begin - part * each, stop - part * each, out);
      out += (stop - begin) * view.row_bytes;
      begin = stop;
    }
  }

  void release(uint64_t begin, uint64_t end) const override {
    const uint64_t each = map_.rows();
    for (uint64_t part = begin / each; part * each < end; ++part) {
      // Rows lie scattered: their pages can go when all rows of the part have been read.
      if (part * each >= begin && (part + 1) * each <= end) parts_[part].release(0, parts_[part].view.shape.rows());
    }
  }

 private:
  void copy(const TensorView& view, uint64_t begin, uint64_t end, std::byte* out) const {
    for (uint64_t r = begin; r < end; ++r, out += view.row_bytes)
      std::memcpy(out, view.row(map_.at(r)), view.row_bytes);
  }

  /// Rows close to each other are read together, since a source may make many as fast as one.
  void fetch(const TensorView& view, uint64_t begin, uint64_t end, std::byte* out) const {
    std::vector<std::pair<uint64_t, uint64_t>> wanted;  // where a row comes from, and where it goes
    for (uint64_t r = begin; r < end; ++r) wanted.emplace_back(map_.at(r), r - begin);
    std::sort(wanted.begin(), wanted.end());
    std::vector<std::byte> scratch;
    for (size_t i = 0, next = 0; i < wanted.size(); i = next) {
      next = i + 1;
      while (next < wanted.size() && wanted[next].first - wanted[next - 1].first <= kMaxGap) ++next;
      const uint64_t first = wanted[i].first, last = wanted[next - 1].first + 1;
      const std::byte* const rows = view.rows(first, last, scratch);
      for (size_t j = i; j < next; ++j)
        std::memcpy(out + wanted[j].second * view.row_bytes, rows + (wanted[j].first - first) * view.row_bytes,
                    view.row_bytes);
    }
  }

  std::vector<Part> parts_;
  RowMap map_;
};

/// The columns of each of a stack's matrices, as rows.
class Transposition final : public RowSource {
 public:
  Transposition(Part part, size_t element_bytes) : part_(std::move(part)), element_bytes_(element_bytes) {}

  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    const uint64_t cols = part_.view.shape.cols(), n = part_.view.shape.ne[1];
    std::vector<std::byte> scratch;
    while (begin < end) {
      const uint64_t matrix = begin / cols, stop = std::min(end, (matrix + 1) * cols), width = stop - begin;
      const std::byte* from = part_.view.rows(matrix * n, (matrix + 1) * n, scratch);
      from += (begin - matrix * cols) * element_bytes_;
      for (uint64_t row = 0; row < n; ++row, from += part_.view.row_bytes) {
        for (uint64_t i = 0; i < width; ++i)
          std::memcpy(out + (i * n + row) * element_bytes_, from + i * element_bytes_, element_bytes_);
      }
      out += width * n * element_bytes_;
      begin = stop;
    }
  }

  void release(uint64_t begin, uint64_t end) const override {
    const uint64_t cols = part_.view.shape.cols(), n = part_.view.shape.ne[1];
    for (uint64_t matrix = begin / cols; matrix * cols < end; ++matrix) {
      if (matrix * cols >= begin && (matrix + 1) * cols <= end) part_.release(matrix * n, (matrix + 1) * n);
    }
  }

 private:
  Part part_;
  size_t element_bytes_;
};

/// The numbers of a view as F32.
class Decoding final : public RowSource {
 public:
  explicit Decoding(Part part) : part_(std::move(part)), format_(*quant::find_format(part_.view.type)) {}

  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    std::vector<float> rows((end - begin) * part_.view.shape.cols());
    quant::RowReader(part_.view, format_).read(begin, end, rows.data());
    std::memcpy(out, rows.data(), rows.size() * sizeof(float));
  }
  void release(uint64_t begin, uint64_t end) const override { part_.release(begin, end); }

 private:
  Part part_;
  const quant::FormatInfo& format_;
};

/// Runs of each row in another order.
class Shuffle final : public RowSource {
 public:
  Shuffle(Part part, std::vector<uint32_t> order) : part_(std::move(part)), order_(std::move(order)) {}

  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    std::vector<std::byte> scratch;
    const std::byte* row = part_.view.rows(begin, end, scratch);
    const uint64_t run = part_.view.row_bytes / order_.size();
    for (uint64_t r = begin; r < end; ++r, row += part_.view.row_bytes) {
      for (const uint32_t from : order_) {
        std::memcpy(out, row + from * run, run);
        out += run;
      }
    }
  }
  void release(uint64_t begin, uint64_t end) const override { part_.release(begin, end); }

 private:
  Part part_;
  std::vector<uint32_t> order_;
};

/// The matrix with its rows made by `source`.
Matrix made_by(Matrix matrix, std::shared_ptr<const RowSource> source) {
  matrix.view.data = nullptr;
  matrix.view.source = source.get();
  matrix.view.first_row = 0;
  matrix.keep.push_back(std::move(source));
  return matrix;
}

/// But for the scale.
bool alike(const TensorView& a, const TensorView& b) {
  return a.type == b.type && a.column_order == b.column_order && a.row_bytes == b.row_bytes;
}

Status check_extents(const Checkpoint& checkpoint, const std::vector<Matrix>& parts, std::string_view name) {
  const tensor::Shape& first = parts[0].view.shape;
  for (const Matrix& part : parts)
    QUERN_ENSURE(part.view.shape == first, Errc::format, checkpoint.path, ": array ",
                 io::quoted(part.arrays.empty() ? name : part.arrays[0]), ": expected the extents of the first that ",
                 io::quoted(name), " is made of, ", to_string(first), ", found ", to_string(part.view.shape));
  return {};
}

/// A stack as its matrices.
std::vector<Matrix> split(const Matrix& matrix) {
  const uint64_t n = matrix.view.shape.ne[2], rows = rows_of_each(matrix);
  std::vector<Matrix> out(n, matrix);
  for (uint64_t i = 0; i < n; ++i) out[i].view = matrix.view.slice(i * rows, rows);
  return out;
}

}  // namespace

RowMap::RowMap(std::vector<Box> boxes) : boxes_(std::move(boxes)) {
  for (const Box& box : boxes_) rows_ += box.rows();
}

uint64_t RowMap::at(uint64_t r) const {
  size_t i = 0;
  while (r >= boxes_[i].rows()) r -= boxes_[i++].rows();
  const Box& box = boxes_[i];
  const uint64_t inner = r % box.n[2], middle = r / box.n[2] % box.n[1], outer = r / box.n[2] / box.n[1];
  return box.first + outer * box.step[0] + middle * box.step[1] + inner * box.step[2];
}

bool RowMap::contiguous() const {
  return boxes_.size() == 1 && boxes_[0].n[0] == 1 && boxes_[0].n[1] == 1 && boxes_[0].step[2] == 1;
}

Matrix decoded(const Checkpoint& checkpoint, Matrix matrix) {
  if (matrix.view.type == DType::f32 && matrix.view.scale == 1 && matrix.view.column_order == nullptr) return matrix;
  auto source = std::make_shared<Decoding>(part_of(checkpoint, matrix));
  TensorView& view = matrix.view;
  view.type = DType::f32;
  view.row_bytes = view.shape.cols() * sizeof(float);
  view.scale = 1;
  view.column_order = nullptr;
  return made_by(std::move(matrix), std::move(source));
}

Result<Stack> stacked(const Checkpoint& checkpoint, const std::vector<Matrix>& matrices, const RowMap& map,
                      std::string_view name) {
  std::vector<Matrix> parts;
  for (const Matrix& matrix : matrices) {
    QUERN_ENSURE(matrix.view.shape.ne[2] <= kMaxParts, Errc::unsupported, checkpoint.path, ": array ",
                 io::quoted(matrix.arrays.empty() ? name : matrix.arrays[0]), ": expected a stack of at most ",
                 kMaxParts, " matrices, found ", matrix.view.shape.ne[2]);
    for (Matrix& part : split(matrix)) parts.push_back(std::move(part));
  }
  QUERN_CHECK(check_extents(checkpoint, parts, name));
  const TensorView first = parts[0].view;
  const bool same = std::all_of(parts.begin(), parts.end(), [&](const Matrix& m) { return alike(m.view, first); });
  if (!same) {
    for (Matrix& part : parts) part = decoded(checkpoint, std::move(part));
    if (parts[0].note.empty()) parts[0].note = "its parts are stored in different ways";
  }
  Stack out{parts[0], {}};
  TensorView& view = out.matrix.view;
  view.shape = {{first.shape.cols(), map.rows(), parts.size(), 1}, parts.size() > 1 ? 3u : 2u};
  if (parts.size() == 1 && map.contiguous()) {
    const TensorView rows = parts[0].view.slice(map.at(0), map.rows());
    view.data = rows.data;
    view.first_row = rows.first_row;
    return out;
  }
  std::vector<Part> sources;
  for (const Matrix& part : parts) {
    sources.push_back(part_of(checkpoint, part));
    if (part.view.scale != view.scale) out.scales.resize(parts.size());
    if (&part == &parts[0]) continue;
    out.matrix.keep.insert(out.matrix.keep.end(), part.keep.begin(), part.keep.end());
    out.matrix.arrays.insert(out.matrix.arrays.end(), part.arrays.begin(), part.arrays.end());
  }
  for (size_t i = 0; i < out.scales.size(); ++i) out.scales[i] = parts[i].view.scale;
  if (!out.scales.empty()) view.scale = 1;
  out.matrix = made_by(std::move(out.matrix), std::make_shared<Gather>(std::move(sources), map));
  return out;
}

Matrix transposed(const Checkpoint& checkpoint, Matrix matrix) {
  const bool plain =
      matrix.view.type == DType::f32 || matrix.view.type == DType::f16 || matrix.view.type == DType::bf16;
  if (!plain || matrix.view.column_order != nullptr) {
    matrix = decoded(checkpoint, std::move(matrix));
    if (matrix.note.empty()) matrix.note = "its columns are needed as rows";
  }
  const size_t bytes = matrix.view.row_bytes / matrix.view.shape.cols();
  auto source = std::make_shared<Transposition>(part_of(checkpoint, matrix), bytes);
  std::swap(matrix.view.shape.ne[0], matrix.view.shape.ne[1]);
  matrix.view.row_bytes = matrix.view.shape.cols() * bytes;
  return made_by(std::move(matrix), std::move(source));
}

Matrix with_runs(const Checkpoint& checkpoint, Matrix matrix, const std::vector<uint32_t>& order) {
  TensorView& view = matrix.view;
  const uint64_t cols = view.shape.cols(), run = cols / order.size();
  const uint64_t block = quant::find_format(view.type)->block_elems;
  if (view.column_order == nullptr && run % block == 0)
    return made_by(matrix, std::make_shared<Shuffle>(part_of(checkpoint, matrix), order));
  // The elements stay where they are, and say to which columns they belong.
  std::vector<uint32_t> place(order.size());
  for (size_t i = 0; i < order.size(); ++i) place[order[i]] = static_cast<uint32_t>(i);
  auto columns = std::make_shared<std::vector<uint32_t>>(cols);
  for (uint64_t i = 0; i < cols; ++i) {
    const uint64_t column = view.column_order == nullptr ? i : view.column_order[i];
    (*columns)[i] = static_cast<uint32_t>(place[column / run] * run + column % run);
  }
  view.column_order = columns->data();
  matrix.keep.push_back(std::move(columns));
  return matrix;
}

}  // namespace quern::hf
