#include "lib/model/requantize.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "lib/io/names.h"
#include "lib/model/bind.h"
#include "lib/quant/importance.h"
#include "lib/quant/rows.h"

namespace quern::model {
namespace {

using tensor::DType;

/// Types, and what they are with quantized scales.
constexpr std::array<std::pair<DType, DType>, 1> kDoubleQuantized = {{{DType::nf4, DType::nf4_dq}}};

/// Matrices whose products decide more than their size tells.
constexpr std::array<arch::Slot, 3> kKept = {arch::Slot::output, arch::Slot::router, arch::Slot::shared_router};

bool can_be_made(const quant::FormatInfo& format) { return format.encode != nullptr; }

std::string known_names() {
  std::string out;
  for (const quant::FormatInfo& format : quant::formats())
    if (can_be_made(format)) out += cat(out.empty() ? "" : ", ", format.name);
  return out;
}

bool same_name(std::string_view a, std::string_view b) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return upper(x) == upper(y); });
}

uint64_t row_bytes_of(const quant::FormatInfo& format, uint64_t cols) {
  return cols / format.block_elems * format.block_bytes;
}

/// The rows of a file as they are, page by page: a backend that reads them through a source lets go of them as it goes.
class FileRows final : public tensor::RowSource {
 public:
  FileRows(const io::ModelFile& file, const io::TensorEntry& entry, const tensor::TensorView& from)
      : file_(file), entry_(entry), from_(from) {}
  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    std::memcpy(out, from_.row(begin), (end - begin) * from_.row_bytes);
  }
  void release(uint64_t begin, uint64_t end) const override { file_.release(entry_, from_.slice(begin, end - begin)); }

 private:
  const io::ModelFile& file_;
  const io::TensorEntry& entry_;
  const tensor::TensorView from_;
};

bool is_candidate(const Binding& b) {
  return b.spec->role == arch::Role::matrix && !is_quantized(b) &&
         std::find(kKept.begin(), kKept.end(), b.spec->slot) == kKept.end();
}

/// Points a binding to a source, which lives as long as the file.
template <class Source>
const Source* redirect(io::ModelFile& file, Binding& b, std::shared_ptr<const Source> source) {
  b.view.data = nullptr;
  b.view.source = source.get();
  b.view.first_row = 0;
  file.keep.push_back(source);
  return source.get();
}

}  // namespace

Result<const quant::FormatInfo*> find_load_format(std::string_view name, bool double_quant) {
  const quant::FormatInfo* found = nullptr;
  for (const quant::FormatInfo& format : quant::formats())
    if (can_be_made(format) && same_name(name, format.name)) found = &format;
  QUERN_ENSURE(found != nullptr || name.empty(), Errc::argument, "quantize: expected one of ", known_names(),
               ", found ", io::quoted(name));
  if (!double_quant) return found;
  for (const auto& [type, with_scales] : kDoubleQuantized) {
    if (found == nullptr || found->type != type) continue;
    const quant::FormatInfo* const out = quant::find_format(with_scales);
    if (out != nullptr && can_be_made(*out)) return out;
  }
  return fail(Errc::argument, "double_quant: expected it with quantize 'nf4', found it with ", io::quoted(name));
}

RequantizedRows::RequantizedRows(const io::ModelFile& file, const io::TensorEntry& entry,
                                 const tensor::TensorView& from, const quant::FormatInfo& format)
    : file_(file), entry_(entry), from_(from), format_(format), row_bytes_(row_bytes_of(format, from.shape.cols())) {}

tensor::TensorView RequantizedRows::view() const {
  tensor::TensorView out;
  out.type = format_.type;
  out.shape = from_.shape;
  out.row_bytes = row_bytes_;
  out.source = this;
  return out;
}

void RequantizedRows::read(uint64_t begin, uint64_t end, std::byte* out) const {
  constexpr uint64_t kTogether = 16;  // see tensor::RowSource
  const uint64_t cols = from_.shape.cols();
  quant::RowReader reader(from_, *quant::find_format(from_.type));
  std::vector<float> rows(std::min(kTogether, end - begin) * cols), weights(cols);
  for (uint64_t first = begin; first < end; first += kTogether) {
    const uint64_t last = std::min(end, first + kTogether);
    reader.read(first, last, rows.data());
    for (uint64_t r = first; r < last; ++r, out += row_bytes_) {
      const float* const row = rows.data() + (r - first) * cols;
      if (quant::first_not_finite(row, cols) < cols) {
        uint64_t seen = bad_row_.load();
        while (r < seen && !bad_row_.compare_exchange_weak(seen, r)) {
        }
        std::memset(out, 0, row_bytes_);
        continue;
      }
      quant::weigh(row, nullptr, weights);
      format_.encode(row, weights.data(), cols, out);
    }
  }
}

void RequantizedRows::release(uint64_t begin, uint64_t end) const {
  file_.release(entry_, from_.slice(begin, end - begin));
}

Status RequantizedRows::status() const {
  const uint64_t row = bad_row_.load();
  if (row == kNone) return {};
  std::vector<float> numbers(from_.shape.cols());
  quant::RowReader(from_, *quant::find_format(from_.type)).read(row, row + 1, numbers.data());
  const size_t column = quant::first_not_finite(numbers.data(), numbers.size());
  return fail(Errc::format, file_.path, ": tensor ", io::quoted(entry_.name), ", row ", row, ", column ", column, ": ",
              numbers[column], " cannot be quantized to ", format_.name);
}

void requantize(io::ModelFile& file, const quant::FormatInfo& format, bool stream_others, BindingPlan& plan,
                const LogFn& log) {
  uint64_t n_kept = 0;
  std::string first_kept;
  for (Binding& b : plan.bindings) {
    const uint64_t cols = b.view.shape.cols();
    const bool fits = cols % format.block_elems == 0;
    if (is_candidate(b) && !fits && n_kept++ == 0)
      first_kept =
          cat(io::quoted(b.entry->name), ": rows of ", cols, " elements are no whole blocks of ", format.block_elems);
    if (is_candidate(b) && fits && row_bytes_of(format, cols) < b.view.row_bytes) {
      auto rows = std::make_shared<const RequantizedRows>(file, *b.entry, b.view, format);
      b.view = rows->view();
      b.requantized = redirect(file, b, std::move(rows));
    } else if (stream_others && b.spec->role == arch::Role::matrix && b.view.source == nullptr) {
      redirect(file, b, std::make_shared<const FileRows>(file, *b.entry, b.view));
    }
  }
  if (log && n_kept > 0)
    log(LogLevel::warning,
        cat(file.path, ": ", n_kept, " matrices are not quantized to ", format.name, ", the first is ", first_kept));
}

}  // namespace quern::model
