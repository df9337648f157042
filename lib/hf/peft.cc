#include "lib/hf/peft.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/arch/hf.h"
#include "lib/hf/matrix.h"
#include "lib/hf/peft_config.h"
#include "lib/hf/row_maps.h"
#include "lib/io/names.h"
#include "lib/io/safetensors.h"
#include "lib/quant/format.h"
#include "lib/quant/rows.h"

namespace quern::hf {

using arch::HfForm;
using arch::HfRows;
using arch::HfShape;
using arch::HfTensor;
using io::LowRank;
using io::quoted;

namespace {

constexpr std::string_view kBase = "base_model.model.";

/// The ends of the arrays' names, of A and of B.
struct Ends {
  std::string_view a, b;
  bool embedding;
};
constexpr Ends kEnds[] = {{".lora_A.weight", ".lora_B.weight", false},
                          {".lora_embedding_A", ".lora_embedding_B", true}};

/// A module that the adapter changes.
struct Module {
  const io::SafeTensor* a = nullptr;
  const io::SafeTensor* b = nullptr;
  bool embedding = false;
};

/// The pattern of a module's name, behind one of the model's prefixes.
std::string source_pattern(const arch::HfArch& table, std::string_view prefix, const HfTensor& tensor) {
  const std::string_view source = tensor.source;
  if (source.starts_with('/')) return std::string(source.substr(1));
  const bool of_layer = source.find("{}") != std::string_view::npos;
  return of_layer ? cat(prefix, table.layers, source) : cat(prefix, source);
}

class Reader {
 public:
  Reader(const NamedBytes& arrays, const PeftConfig& config, const io::MetaTable& model,
         const std::string& architecture)
      : path_(arrays.path), config_(config), numbers_of_model_(model, architecture), architecture_(architecture) {}

  Result<io::AdapterFile> read(const io::SafeTensors& arrays) {
    QUERN_CHECK(find_modules(arrays));
    for (const auto& [name, module] : modules_) QUERN_CHECK(add_module(name, module));
    out_.architecture = architecture_;
    out_.alpha = static_cast<float>(config_.alpha);
    return std::move(out_);
  }

 private:
  Status find_modules(const io::SafeTensors& arrays) {
    for (const io::SafeTensor& array : arrays.entries()) {
      const std::string_view name = array.name;
      const Ends* ends = nullptr;
      for (const Ends& some : kEnds) {
        if (name.ends_with(some.a) || name.ends_with(some.b)) ends = &some;
      }
      QUERN_ENSURE(ends != nullptr && name.starts_with(kBase), Errc::unsupported, where(array),
                   "expected a name base_model.model.MODULE with lora_A.weight, lora_B.weight, lora_embedding_A or "
                   "lora_embedding_B at its end; other arrays of adapters are not supported");
      const bool is_a = name.ends_with(ends->a);
      const size_t end = name.size() - (is_a ? ends->a : ends->b).size();
      QUERN_ENSURE(end > kBase.size(), Errc::format, where(array), "expected the name of a module");
      Module& module = modules_[std::string(name.substr(kBase.size(), end - kBase.size()))];
      const bool first = module.a == nullptr && module.b == nullptr;
      QUERN_ENSURE(first || module.embedding == ends->embedding, Errc::format, where(array),
                   "expected one kind of matrices for a module, found two");
      module.embedding = ends->embedding;
      (is_a ? module.a : module.b) = &array;
    }
    QUERN_ENSURE(!modules_.empty(), Errc::format, path_, ": an adapter without arrays");
    return {};
  }

  std::string where(const io::SafeTensor& array) const { return cat(path_, ": array ", quoted(array.name), ": "); }

  Status add_module(const std::string& name, const Module& module) {
    const io::SafeTensor& some = module.a != nullptr ? *module.a : *module.b;
    QUERN_ENSURE(module.a != nullptr && module.b != nullptr, Errc::format, where(some),
                 "expected its other half beside it, found none");
    QUERN_TRY(const tensor::TensorView a, view_of(*module.a));
    QUERN_TRY(const tensor::TensorView b, view_of(*module.b));
    const uint64_t rank = b.shape.cols();
    QUERN_ENSURE(a.shape.rows() == rank, Errc::format, where(*module.a), "expected the rank ", rank, " of ",
                 quoted(module.b->name), ", found the shape ", tensor::to_string(a.shape));
    QUERN_ENSURE(config_.rank_varies || rank == config_.rank, Errc::format, where(*module.b), "expected the rank ",
                 config_.rank, " of adapter_config.json, found ", rank);
    LowRank part;
    part.a = a;
    part.b = b;
    part.a_name = module.a->name;
    part.b_name = module.b->name;
    part.scale = config_.scale(name, rank);
    if (module.embedding) {
      part.a = transposed(a);
      QUERN_ENSURE(is_table(name), Errc::unsupported, where(*module.a),
                   "expected the table of the tokens' embeddings, found another module");
      part.target = "token_embd.weight";
      out_.parts.push_back(std::move(part));
      return {};
    }
    return add_targets(name, part);
  }

  /// A matrix of plain numbers.
  Result<tensor::TensorView> view_of(const io::SafeTensor& array) const {
    constexpr std::array<std::pair<io::SafeType, tensor::DType>, 3> kTypes = {
        {{io::SafeType::f32, tensor::DType::f32},
         {io::SafeType::f16, tensor::DType::f16},
         {io::SafeType::bf16, tensor::DType::bf16}}};
    const auto type = std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& t) { return t.first == array.type; });
    QUERN_ENSURE(type != kTypes.end(), Errc::unsupported, where(array), "expected F32, F16 or BF16, found ",
                 io::safe_type_name(array.type));
    const auto& shape = array.shape;
    constexpr uint64_t kMaxExtent = uint64_t{1} << 31;
    const bool matrix =
        shape.size() == 2 && shape[0] > 0 && shape[1] > 0 && shape[0] < kMaxExtent && shape[1] < kMaxExtent;
    QUERN_ENSURE(matrix, Errc::format, where(array), "expected a matrix, found ", shape.size(), " dimensions");
    tensor::TensorView view;
    view.data = array.bytes.data();
    view.type = type->second;
    view.shape = {{shape[1], shape[0], 1, 1}, 2};
    view.row_bytes = shape[1] * (io::safe_type_bits(array.type) / 8);
    return view;
  }

  template <class F>
  bool each_match(const std::string& module, F&& f) const {
    for (const arch::HfArch* const table : arch::hf_classes()) {
      if (table->spec->name != architecture_) continue;
      bool any = false;
      for (const HfTensor& tensor : table->tensors) {
        if (tensor.form != HfForm::linear && tensor.form != HfForm::exact) continue;
        for (const std::string_view prefix : table->prefixes) {
          const auto numbers = io::numbers_in(source_pattern(*table, prefix, tensor), module);
          if (!numbers) continue;
          any = true;
          if (!f(tensor, *numbers)) return any;
          break;
        }
      }
      if (any) return true;
    }
    return false;
  }

  bool is_table(const std::string& module) const {
    bool table = false;
    each_match(module, [&](const HfTensor& tensor, const io::NameNumbers&) {
      table |= std::string_view(tensor.name) == "token_embd";
      return true;
    });
    return table;
  }

  /// The module's weight may be several of the model's: each gets its rows.
  Status add_targets(const std::string& module, const LowRank& part) {
    Status status;
    const bool any = each_match(module, [&](const HfTensor& tensor, const io::NameNumbers& numbers) {
      status = add_target(module, tensor, numbers, part);
      return status.has_value();
    });
    QUERN_CHECK(status);
    QUERN_ENSURE(any, Errc::unsupported, path_, ": array ", quoted(part.a_name),
                 ": no module of that name is known for the architecture ", quoted(architecture_));
    return {};
  }

  Status add_target(const std::string& module, const HfTensor& tensor, const io::NameNumbers& numbers, LowRank part) {
    QUERN_ENSURE(tensor.shape != HfShape::inputs_first, Errc::unsupported, path_, ": array ", quoted(part.a_name),
                 ": matrices that are stored with their inputs as rows are not supported");
    const std::string_view name = tensor.name;
    const size_t hole = name.find("{}");
    part.target = hole == std::string_view::npos
                      ? cat(name, ".weight")
                      : cat(name.substr(0, hole), numbers.first, name.substr(hole + 2), ".weight");
    const std::string_view source = tensor.source;
    const bool of_expert = source.find("{}") != source.rfind("{}");
    if (of_expert) part.expert = static_cast<int32_t>(numbers.second);
    QUERN_TRY(const RowMap map, row_map(tensor, part.b.shape.rows(), numbers_of_model_, numbers.first, module));
    part.b = with_rows(part.b, map);
    if (tensor.rows == HfRows::latent_keys || tensor.rows == HfRows::latent_values)
      QUERN_CHECK(divide(part, tensor, numbers.first));
    if (tensor.shape == HfShape::delta_value_columns) QUERN_CHECK(order_columns(part));
    out_.parts.push_back(std::move(part));
    return {};
  }

  /// Matrices of the heads one by one: B of each, or its transposed product A^T B^T.
  Status divide(LowRank& part, const HfTensor& tensor, uint32_t layer) {
    QUERN_TRY(const uint64_t heads, numbers_of_model_.get("attention.head_count", layer));
    const uint64_t rank = part.rank(), rows = part.b.shape.rows() / heads, in = part.a.shape.cols();
    const std::vector<float> a = floats_of(part.a), b = floats_of(part.b);
    const bool swapped = tensor.shape == HfShape::swapped;
    if (!swapped) {
      std::vector<float> repeated;
      for (uint64_t head = 0; head < heads; ++head) repeated.insert(repeated.end(), a.begin(), a.end());
      part.a = keep(std::move(repeated), {{in, rank, heads, 1}, 3});
      part.b.shape = {{rank, rows, heads, 1}, 3};
      return {};
    }
    std::vector<float> left, right;
    for (uint64_t head = 0; head < heads; ++head) {
      for (uint64_t k = 0; k < rank; ++k) {
        for (uint64_t row = 0; row < rows; ++row) left.push_back(b[(head * rows + row) * rank + k]);
      }
      for (uint64_t i = 0; i < in; ++i) {
        for (uint64_t k = 0; k < rank; ++k) right.push_back(a[k * in + i]);
      }
    }
    part.a = keep(std::move(left), {{rows, rank, heads, 1}, 3});
    part.b = keep(std::move(right), {{rank, in, heads, 1}, 3});
    return {};
  }

  Status order_columns(LowRank& part) {
    QUERN_TRY(const auto order, numbers_of_model_.delta_value_heads());
    const uint64_t cols = part.a.shape.cols(), run = cols / order.size();
    QUERN_ENSURE(cols % order.size() == 0, Errc::format, path_, ": array ", quoted(part.a_name),
                 ": expected a multiple of ", order.size(), " columns, found ", cols);
    const std::vector<float> a = floats_of(part.a);
    std::vector<float> ordered;
    for (uint64_t row = 0; row < part.a.shape.rows(); ++row) {
      for (const uint32_t head : order) {
        const auto first = a.begin() + static_cast<ptrdiff_t>(row * cols + head * run);
        ordered.insert(ordered.end(), first, first + static_cast<ptrdiff_t>(run));
      }
    }
    part.a = keep(std::move(ordered), part.a.shape);
    return {};
  }

  static std::vector<float> floats_of(const tensor::TensorView& view) {
    std::vector<float> out(view.shape.elements());
    quant::RowReader(view, *quant::find_format(view.type)).read(0, view.shape.rows(), out.data());
    return out;
  }

  tensor::TensorView keep(std::vector<float> floats, const tensor::Shape& shape) {
    const auto kept = std::make_shared<const std::vector<float>>(std::move(floats));
    out_.file.keep.push_back(kept);
    tensor::TensorView view;
    view.data = reinterpret_cast<const std::byte*>(kept->data());
    view.shape = shape;
    view.row_bytes = shape.cols() * sizeof(float);
    return view;
  }

  tensor::TensorView with_rows(const tensor::TensorView& view, const RowMap& map) {
    if (map.contiguous()) return view.slice(map.at(0), map.rows());
    const uint64_t cols = view.shape.cols();
    const std::vector<float> floats = floats_of(view);
    std::vector<float> moved;
    for (uint64_t row = 0; row < map.rows(); ++row) {
      const auto first = floats.begin() + static_cast<ptrdiff_t>(map.at(row) * cols);
      moved.insert(moved.end(), first, first + static_cast<ptrdiff_t>(cols));
    }
    return keep(std::move(moved), {{cols, map.rows(), 1, 1}, 2});
  }

  tensor::TensorView transposed(const tensor::TensorView& view) {
    const uint64_t rows = view.shape.rows(), cols = view.shape.cols();
    const std::vector<float> floats = floats_of(view);
    std::vector<float> out(floats.size());
    for (uint64_t row = 0; row < rows; ++row) {
      for (uint64_t col = 0; col < cols; ++col) out[col * rows + row] = floats[row * cols + col];
    }
    return keep(std::move(out), {{rows, cols, 1, 1}, 2});
  }

  std::string path_;
  const PeftConfig& config_;
  ModelNumbers numbers_of_model_;
  std::string architecture_;
  std::map<std::string, Module> modules_;
  io::AdapterFile out_;
};

}  // namespace

Result<io::AdapterFile> read_peft(const NamedBytes& config, const NamedBytes& arrays, const io::MetaTable& model) {
  QUERN_TRY(const std::string* const architecture, model.get_string("general.architecture"));
  QUERN_ENSURE(architecture != nullptr, Errc::argument, model.file(), ": key 'general.architecture': missing");
  const auto classes = arch::hf_classes();
  const bool known = std::any_of(classes.begin(), classes.end(),
                                 [&](const arch::HfArch* table) { return table->spec->name == *architecture; });
  QUERN_ENSURE(known, Errc::unsupported, config.path, ": the names of the modules are not known for the architecture ",
               quoted(*architecture));
  QUERN_TRY(const PeftConfig settings, read_peft_config(config.bytes, config.path));
  QUERN_TRY(const io::SafeTensors table, io::parse_safetensors(arrays.bytes, arrays.path));
  return Reader(arrays, settings, model, *architecture).read(table);
}

}  // namespace quern::hf
