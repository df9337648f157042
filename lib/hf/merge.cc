#include "lib/hf/merge.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/arch/spec.h"
#include "lib/io/names.h"
#include "lib/quant/format.h"
#include "lib/quant/rows.h"
#include "lib/tensor/dtype.h"

namespace quern::hf {

using io::LowRank;
using io::quoted;
using tensor::TensorView;

namespace {

constexpr const char* kTable = "token_embd.weight";
constexpr const char* kOutput = "output.weight";

std::vector<float> floats_of(const TensorView& view) {
  std::vector<float> out(view.shape.elements());
  quant::RowReader(view, *quant::find_format(view.type)).read(0, view.shape.rows(), out.data());
  return out;
}

std::vector<float> transposed(const std::vector<float>& matrix, uint64_t cols) {
  const uint64_t rows = matrix.size() / cols;
  std::vector<float> out(matrix.size());
  for (uint64_t row = 0; row < rows; ++row) {
    for (uint64_t col = 0; col < cols; ++col) out[col * rows + row] = matrix[row * cols + col];
  }
  return out;
}

/// scale * left * right, added to some rows of a tensor.
struct Product {
  std::vector<float> left;   ///< [rows, rank]
  std::vector<float> right;  ///< [rank, columns], one for each of the matrices that are stacked
  uint64_t rank = 0, first_row = 0, n_rows = 0, rows_of_each = 0;
  float scale = 1;

  void add_to(uint64_t row, float* out, uint64_t cols) const {
    if (row < first_row || row >= first_row + n_rows) return;
    const uint64_t own = row - first_row;
    const float* const factors = left.data() + own * rank;
    const float* vectors = right.data() + own / rows_of_each * rank * cols;
    for (uint64_t k = 0; k < rank; ++k, vectors += cols) {
      const float factor = scale * factors[k];
      for (uint64_t i = 0; i < cols; ++i) out[i] += factor * vectors[i];
    }
  }
};

/// The rows of a tensor with what is added to them.
class MergedRows final : public tensor::RowSource {
 public:
  MergedRows(const TensorView& base, bool mapped, std::vector<float> scales)
      : base_(base), mapped_(mapped), scales_(std::move(scales)) {}

  void add(Product product) { products_.push_back(std::move(product)); }

  void read(uint64_t begin, uint64_t end, std::byte* out) const override {
    const uint64_t cols = base_.shape.cols();
    std::vector<float> rows((end - begin) * cols);
    quant::RowReader(base_, *quant::find_format(base_.type)).read(begin, end, rows.data());
    for (uint64_t row = begin; row < end; ++row) {
      float* const own = rows.data() + (row - begin) * cols;
      if (!scales_.empty()) {
        const float scale = scales_[row * scales_.size() / base_.shape.rows()];
        for (uint64_t i = 0; i < cols; ++i) own[i] *= scale;
      }
      for (const Product& product : products_) product.add_to(row, own, cols);
    }
    std::copy_n(reinterpret_cast<const std::byte*>(rows.data()), rows.size() * sizeof(float), out);
  }

  void release(uint64_t begin, uint64_t end) const override {
    if (base_.source != nullptr) return base_.source->release(base_.first_row + begin, base_.first_row + end);
    if (mapped_) base::FileBytes::release_mapped({base_.row(begin), (end - begin) * base_.row_bytes});
  }

 private:
  TensorView base_;
  bool mapped_;
  std::vector<float> scales_;  ///< of each of the matrices that are stacked, or of all
  std::vector<Product> products_;
};

class Merger {
 public:
  Merger(io::ModelFile& model, const io::AdapterFile& adapter, float scale)
      : model_(model), adapter_(adapter), scale_(scale) {}

  Status merge() {
    QUERN_ENSURE(std::isfinite(scale_), Errc::argument, adapter_.path, ": expected a number as its scale, found ",
                 scale_);
    QUERN_TRY(const std::string* const architecture, model_.meta.get_string("general.architecture"));
    QUERN_ENSURE(architecture != nullptr, Errc::argument, model_.path, ": key 'general.architecture': missing");
    QUERN_ENSURE(adapter_.architecture.empty() || adapter_.architecture == *architecture, Errc::argument, adapter_.path,
                 ": expected an adapter for the model's architecture ", quoted(*architecture), ", found one for ",
                 quoted(adapter_.architecture));
    spec_ = arch::find_arch(*architecture);
    for (const LowRank& part : adapter_.parts) QUERN_CHECK(add(part));
    return put();
  }

 private:
  /// Whether the table of embeddings serves as the output too.
  bool tied() const {
    if (spec_ == nullptr || model_.tensors.find(kOutput) != nullptr) return false;
    return std::any_of(spec_->tensors.begin(), spec_->tensors.end(), [](const arch::TensorSpec& tensor) {
      return tensor.slot == arch::Slot::output && tensor.stand_in == arch::Slot::token_embd;
    });
  }

  /// The tensor of the file that a part is added to.
  const io::TensorEntry* base_of(const LowRank& part) const {
    return model_.tensors.find(part.target == kOutput && tied() ? kTable : part.target);
  }

  Status add(const LowRank& part) {
    const io::TensorEntry* const base = base_of(part);
    QUERN_ENSURE(base != nullptr, Errc::argument, adapter_.path, ": tensor ", quoted(part.a_name), ": the model ",
                 model_.path, " has no tensor ", quoted(part.target), " to merge it into");
    if (const auto format = quant::resolve_format(base->type_id); !format)
      return fail(format.error().code, model_.path, ": tensor ", quoted(base->name), ": ", format.error().message);
    const auto& ne = base->view.shape.ne;
    const bool whole = part.expert == LowRank::kWhole, table = io::is_looked_up(part);
    const uint64_t cols = ne[0], rows = ne[1], stacked = ne[2], rank = part.rank(), n = whole ? stacked : 1;
    QUERN_ENSURE(whole || static_cast<uint64_t>(part.expert) < stacked, Errc::argument, adapter_.path, ": tensor ",
                 quoted(part.a_name), ": expected one of the ", stacked, " experts of ", quoted(part.target),
                 ", found number ", part.expert);
    QUERN_CHECK(check(part, part.a_name, part.a, table ? std::array{rank, rows, n} : std::array{cols, rank, n}));
    QUERN_CHECK(check(part, part.b_name, part.b, table ? std::array{rank, cols, n} : std::array{rank, rows, n}));
    Product product;
    product.left = floats_of(table ? part.a : part.b);
    product.right = table ? transposed(floats_of(part.b), rank) : floats_of(part.a);
    product.rank = rank;
    product.rows_of_each = rows;
    product.n_rows = n * rows;
    product.first_row = whole ? 0 : static_cast<uint64_t>(part.expert) * rows;
    product.scale = part.scale * scale_;
    QUERN_TRY(MergedRows* const merged, rows_for(part.target, *base));
    merged->add(std::move(product));
    return {};
  }

  Status check(const LowRank& part, const std::string& name, const TensorView& view,
               const std::array<uint64_t, 3>& expected) const {
    const auto& ne = view.shape.ne;
    const bool fits = std::equal(expected.begin(), expected.end(), ne.begin()) && ne[3] == 1;
    const tensor::Shape shape{{expected[0], expected[1], expected[2], 1}, expected[2] > 1 ? 3u : 2u};
    QUERN_ENSURE(fits, Errc::argument, adapter_.path, ": tensor ", quoted(name), ": expected the shape ",
                 tensor::to_string(shape), " for the model's ", quoted(part.target), ", found ",
                 tensor::to_string(view.shape));
    return {};
  }

  Result<MergedRows*> rows_for(const std::string& target, const io::TensorEntry& base) {
    auto& rows = merged_[target];
    if (rows == nullptr) {
      QUERN_TRY(std::vector<float> scales, take_scales(base));
      const bool mapped = base.view.source == nullptr && base.file_index < model_.parts.size() &&
                          model_.parts[base.file_index].mapped();
      rows = std::make_shared<MergedRows>(base.view, mapped, std::move(scales));
    }
    return rows.get();
  }

  /// The numbers of the tensor "X.scale" beside "X.weight", by which the model multiplies it; see bind.h of lib/model.
  Result<std::vector<float>> take_scales(const io::TensorEntry& base) {
    constexpr std::string_view kEnd = ".weight";
    const std::string_view name = base.name;
    if (!name.ends_with(kEnd)) return std::vector<float>();
    const io::TensorEntry* const scale = model_.tensors.find(cat(name.substr(0, name.size() - kEnd.size()), ".scale"));
    if (scale == nullptr || has_own_meaning(scale->name)) return std::vector<float>();
    const uint64_t n = scale->view.shape.elements();
    QUERN_ENSURE(scale->view.type == tensor::DType::f32 && (n == 1 || n == base.view.shape.ne[2]), Errc::format,
                 model_.path, ": tensor ", quoted(scale->name), ": expected F32 numbers for the matrices of ",
                 quoted(name), ", found the shape ", tensor::to_string(scale->view.shape));
    dropped_.push_back(scale->name);
    return floats_of(scale->view);
  }

  /// Whether the architecture has a tensor of that name.
  bool has_own_meaning(std::string_view name) const {
    return spec_ != nullptr && std::any_of(spec_->tensors.begin(), spec_->tensors.end(), [&](const auto& tensor) {
             return io::numbers_in(tensor.name, name).has_value();
           });
  }

  Status put() {
    io::TensorTable table;
    const auto merged_entry = [&](const io::TensorEntry& base, const std::string& name, const auto& rows) {
      io::TensorEntry entry = base;
      entry.name = name;
      entry.type_id = static_cast<uint32_t>(tensor::DType::f32);
      entry.view = {};
      entry.view.shape = base.view.shape;
      entry.view.row_bytes = base.view.shape.cols() * sizeof(float);
      entry.view.source = rows.get();
      return entry;
    };
    for (const io::TensorEntry& entry : model_.tensors.entries()) {
      if (std::find(dropped_.begin(), dropped_.end(), entry.name) != dropped_.end()) continue;
      const auto rows = merged_.find(entry.name);
      QUERN_CHECK(table.add(rows == merged_.end() ? entry : merged_entry(entry, entry.name, rows->second)));
    }
    if (tied() && (merged_.count(kOutput) > 0 || merged_.count(kTable) > 0)) {
      io::TensorEntry output = *model_.tensors.find(kTable);
      output.name = kOutput;
      const auto rows = merged_.find(kOutput);
      QUERN_CHECK(table.add(rows == merged_.end() ? output : merged_entry(output, kOutput, rows->second)));
    }
    model_.tensors = std::move(table);
    for (auto& [name, rows] : merged_) model_.keep.push_back(rows);
    return {};
  }

  io::ModelFile& model_;
  const io::AdapterFile& adapter_;
  float scale_;
  const arch::ArchSpec* spec_ = nullptr;
  std::map<std::string, std::shared_ptr<MergedRows>> merged_;  ///< by the names of the new tensors
  std::vector<std::string> dropped_;
};

}  // namespace

Status merge_adapter(io::ModelFile& model, const io::AdapterFile& adapter, float scale) {
  return Merger(model, adapter, scale).merge();
}

}  // namespace quern::hf
