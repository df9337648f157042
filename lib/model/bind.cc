#include "lib/model/bind.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <string>

#include "lib/io/names.h"
#include "lib/model/requantize.h"
#include "lib/quant/format.h"

namespace quern::model {
namespace {

using arch::Dim;
using arch::Experts;
using arch::Role;
using arch::Slot;
using arch::TensorSpec;
using arch::When;

std::string where(const io::ModelFile& file, std::string_view tensor) {
  return cat(file.path, ": tensor ", io::quoted(tensor), ": ");
}

bool is_for_host(Role role) { return role == Role::factors || role == Role::number; }

Status check_type(const io::ModelFile& file, const io::TensorEntry& entry, Role role) {
  const tensor::DType type = entry.view.type;
  const auto refuse = [&](const char* expected) {
    return fail(Errc::unsupported, where(file, entry.name), "expected ", expected, ", found type ",
                quant::type_name(entry.type_id));
  };
  if (role == Role::vector) {
    if (type != tensor::DType::f32 && type != tensor::DType::f16) return refuse("F32 or F16");
  } else if (is_for_host(role)) {
    if (type != tensor::DType::f32) return refuse("F32");
  } else if (auto format = quant::resolve_format(entry.type_id); !format) {
    return fail(format.error().code, where(file, entry.name), format.error().message);
  }
  return {};
}

bool stacked(const TensorSpec& spec) { return spec.experts == Experts::stacked || spec.experts == Experts::per_head; }

Status check_shape(const io::ModelFile& file, const io::TensorEntry& entry, const tensor::Shape& expected) {
  QUERN_ENSURE(entry.view.shape.ne == expected.ne, Errc::format, where(file, entry.name), "expected the shape ",
               tensor::to_string(expected), ", found ", tensor::to_string(entry.view.shape));
  return {};
}

/// The part of a tensor, whose shape has been checked, that one expert's slot takes.
tensor::TensorView view_of(const tensor::TensorView& whole, const TensorSpec& spec, const Hparams& hp, uint32_t layer,
                           uint32_t expert) {
  if (spec.part.whole() && !stacked(spec)) return whole;
  const uint64_t cols = hp.dim(spec.cols, layer), rows = hp.dim(spec.rows, layer);
  const uint64_t first = hp.dim(spec.part.first, layer);
  const bool in_row = spec.role == Role::vector;  // vectors are F32 or F16: elements have whole bytes
  const uint64_t row_of_expert = stacked(spec) ? expert * rows : 0;
  tensor::TensorView view = whole.slice(in_row ? row_of_expert : rows_of(spec, hp, layer, expert).first, rows);
  view.shape = {{cols, rows, 1, 1}, in_row ? 1u : 2u};
  if (in_row) {
    const uint64_t elem_bytes = whole.row_bytes / whole.shape.cols();
    view.data += first * elem_bytes;
    view.row_bytes = cols * elem_bytes;
  }
  return view;
}

/// Finds the tensors of one specification after the other.
class Binder {
 public:
  Binder(const io::ModelFile& file, const arch::ArchSpec& arch, const Hparams& hparams)
      : file_(file), arch_(arch), hparams_(hparams), bound_(hparams.n_layer) {}

  void bind(const TensorSpec& spec, uint32_t layer) {
    if (!wanted(spec, layer) || bound_[layer].count(spec.slot) > 0) return;
    for (uint32_t expert = 0; expert < n_weights(spec, hparams_, layer); ++expert) {
      const std::string name = tensor_name(spec, layer, expert);
      const io::TensorEntry* const entry = find(spec, layer, expert);
      if (entry == nullptr && expert == 0) return absent(spec, layer);
      bound_[layer].insert(spec.slot);
      if (entry == nullptr)
        return add_fault(name, true, fail(Errc::format, where(file_, name), "missing, but expert 0 has one"));
      used_.insert(entry);
      if (const Status status = take(spec, layer, expert, *entry); !status)
        return add_fault(entry->name, false, status.error());
    }
  }

  /// What was bound, and which tensors were not.
  BindingPlan finish() {
    for (const io::TensorEntry& entry : file_.tensors.entries()) {
      if (used_.count(&entry) > 0) continue;
      (of_skipped_layer(entry.name) ? plan_.skipped : plan_.unused).push_back(&entry);
    }
    return std::move(plan_);
  }

 private:
  Status take(const TensorSpec& spec, uint32_t layer, uint32_t expert, const io::TensorEntry& entry) {
    QUERN_CHECK(check_type(file_, entry, spec.role));
    QUERN_CHECK(check_shape(file_, entry, tensor_shape(spec, hparams_, layer)));
    Binding binding{&spec, layer, &entry, view_of(entry.view, spec, hparams_, layer, expert), scale_of(spec, entry)};
    if (binding.scale != nullptr) {
      used_.insert(binding.scale);
      QUERN_CHECK(read_scale(binding, spec.experts == Experts::stacked ? expert : 0));
    }
    plan_.bindings.push_back(binding);
    return {};
  }

  /// Parts of one tensor, and tied ones, share its fault.
  void add_fault(const std::string& tensor, bool missing, Error error) {
    if (!faulty_.insert(tensor).second) return;
    if (plan_.n_faults++ < BindingPlan::kMaxFaults) plan_.faults.push_back({tensor, missing, std::move(error)});
  }

  bool of_skipped_layer(std::string_view name) const {
    for (uint32_t i = 0; i < hparams_.n_layer_skipped; ++i) {
      if (name.starts_with(cat("blk.", hparams_.n_layer + i, "."))) return true;
    }
    return false;
  }

  bool wanted(const TensorSpec& spec, uint32_t layer) const {
    const bool with_experts = hparams_.layers[layer].experts;
    const bool q_rank = hparams_.latent.q_rank > 0;
    const bool attends = hparams_.layers[layer].mixer == LayerMixer::attention;
    switch (spec.when) {
      case When::always:
        return true;
      case When::dense:
        return !with_experts;
      case When::with_experts:
        return with_experts;
      case When::with_shared_expert:
        return with_experts && hparams_.experts.n_ff_shared > 0;
      case When::with_own_kv:
        return hparams_.layers[layer].own_kv;
      case When::with_short_cache:
        return !hparams_.latent.full_cache;
      case When::with_full_cache:
        return hparams_.latent.full_cache;
      case When::with_layer_inputs:
        return hparams_.n_layer_input > 0;
      case When::with_q_rank:
        return q_rank;
      case When::without_q_rank:
        return !q_rank;
      case When::attends:
        return attends;
      case When::delta_net:
        return !attends;
    }
    return false;
  }

  const io::TensorEntry* scale_of(const TensorSpec& spec, const io::TensorEntry& entry) const {
    constexpr std::string_view kEnd = ".weight";
    const std::string_view name = entry.name;
    const bool scalable = (spec.role == Role::matrix || spec.role == Role::table) && name.ends_with(kEnd);
    if (!scalable) return nullptr;
    const io::TensorEntry* const scale = file_.tensors.find(cat(name.substr(0, name.size() - kEnd.size()), ".scale"));
    // A name that the architecture gives another meaning is no such scale.
    const auto is_pattern = [&](const TensorSpec& other) {
      const std::string_view pattern = other.name;
      return pattern.ends_with(".scale") && scale->name.ends_with(pattern.substr(pattern.rfind("}") + 1));
    };
    const bool taken = scale != nullptr && std::any_of(arch_.tensors.begin(), arch_.tensors.end(), is_pattern);
    return taken ? nullptr : scale;
  }

  Status read_scale(Binding& binding, uint32_t index) const {
    const io::TensorEntry& entry = *binding.scale;
    const uint64_t n = binding.spec->experts == Experts::stacked ? hparams_.experts.n : 1;
    QUERN_CHECK(check_type(file_, entry, Role::factors));
    QUERN_CHECK(check_shape(file_, entry, {{n, 1, 1, 1}, 1}));
    std::memcpy(&binding.view.scale, entry.view.data + index * sizeof(float), sizeof(float));
    QUERN_ENSURE(std::isfinite(binding.view.scale), Errc::format, where(file_, entry.name), "element ", index,
                 ": expected a number, found ", binding.view.scale);
    return {};
  }

  const io::TensorEntry* find(const TensorSpec& spec, uint32_t layer, uint32_t expert) const {
    if (const io::TensorEntry* entry = file_.tensors.find(tensor_name(spec, layer, expert))) return entry;
    if (spec.stand_in == Slot::none) return nullptr;
    const auto is_stand_in = [&](const TensorSpec& other) { return other.slot == spec.stand_in; };
    const auto other = std::find_if(arch_.tensors.begin(), arch_.tensors.end(), is_stand_in);
    return other != arch_.tensors.end() ? file_.tensors.find(tensor_name(*other, layer, expert)) : nullptr;
  }

  /// A fault if the tensor is needed and no later specification may have the slot's tensor under another name.
  void absent(const TensorSpec& spec, uint32_t layer) {
    const TensorSpec* const end = arch_.tensors.data() + arch_.tensors.size();
    const auto same_slot = [&](const TensorSpec& other) { return other.slot == spec.slot; };
    if (spec.optional || std::find_if(&spec + 1, end, same_slot) != end) return;
    const TensorSpec& first = *std::find_if(arch_.tensors.data(), end, same_slot);
    const std::string name = tensor_name(first, layer, 0);
    add_fault(
        name, true,
        fail(Errc::format, where(file_, name), "missing, but the architecture ", io::quoted(arch_.name), " needs it"));
  }

  const io::ModelFile& file_;
  const arch::ArchSpec& arch_;
  const Hparams& hparams_;
  std::vector<std::set<Slot>> bound_;  ///< by layer; slots of the whole model count as the first layer's
  std::set<const io::TensorEntry*> used_;
  std::set<std::string> faulty_;
  BindingPlan plan_;
};

/// What is requantized is made once, and then in memory.
compute::Usage usage_of(const Binding& b, bool repack) {
  if (b.spec->role == Role::table) return compute::Usage::gather;
  if (b.spec->role == Role::vector) return compute::Usage::vector;
  return repack || b.requantized != nullptr ? compute::Usage::matmul : compute::Usage::matmul_in_source;
}

}  // namespace

/// The places of "{}" are the layer's and the expert's, in this order.
std::string tensor_name(const TensorSpec& spec, uint32_t layer, uint32_t expert) {
  std::string name = spec.name;
  for (const uint32_t number : {layer, expert}) {
    const size_t place = name.find("{}");
    if (place != std::string::npos) name.replace(place, 2, std::to_string(number));
  }
  return name;
}

uint32_t n_weights(const TensorSpec& spec, const Hparams& hparams, uint32_t layer) {
  if (spec.experts == Experts::none) return 1;
  return spec.experts == Experts::per_head ? hparams.layers[layer].n_head : hparams.experts.n;
}

tensor::Shape tensor_shape(const TensorSpec& spec, const Hparams& hparams, uint32_t layer) {
  const auto dim = [&](Dim d) { return hparams.dim(d, layer); };
  tensor::Shape shape{{dim(spec.cols), dim(spec.rows), 1, 1}, spec.rows == Dim::one ? 1u : 2u};
  uint64_t& features = spec.role == Role::vector ? shape.ne[0] : shape.ne[1];
  if (!spec.part.whole()) features = dim(spec.part.of);
  if (stacked(spec)) shape.ne[shape.rank++] = n_weights(spec, hparams, layer);
  return shape;
}

RowRange rows_of(const TensorSpec& spec, const Hparams& hparams, uint32_t layer, uint32_t expert) {
  const uint64_t rows = hparams.dim(spec.rows, layer);
  const uint64_t of_expert = spec.part.whole() ? rows : hparams.dim(spec.part.of, layer);
  return {(stacked(spec) ? expert * of_expert : 0) + hparams.dim(spec.part.first, layer), rows};
}

bool is_quantized(const Binding& binding) { return quant::find_format(binding.view.type)->block_elems > 1; }

BindingPlan plan_bindings(const io::ModelFile& file, const arch::ArchSpec& spec, const Hparams& hparams) {
  Binder binder(file, spec, hparams);
  for (const TensorSpec& tensor : spec.tensors) {
    const uint32_t copies = arch::is_per_layer(tensor.slot) ? hparams.n_layer : 1;
    for (uint32_t layer = 0; layer < copies; ++layer) binder.bind(tensor, layer);
  }
  return binder.finish();
}

Result<uint64_t> weight_bytes(const io::ModelFile& file, const std::vector<Binding>& bindings,
                              const compute::Backend& backend, bool repack) {
  uint64_t sum = 0;
  for (const Binding& b : bindings) {
    if (is_for_host(b.spec->role)) continue;
    const auto bytes = backend.weight_bytes(b.view, usage_of(b, repack));
    if (!bytes) return fail(bytes.error().code, where(file, b.entry->name), bytes.error().message);
    sum += *bytes;
  }
  return sum;
}

Result<Weights> prepare_weights(const io::ModelFile& file, const std::vector<Binding>& bindings, uint32_t n_layer,
                                compute::Backend& backend, const LoadOptions& options) {
  Weights weights(n_layer);
  constexpr uint64_t kReports = 200;  // at most about so many calls of `progress`
  uint64_t total = 0, done = 0, reported = 0;
  for (const Binding& b : bindings) total += b.view.size_bytes();
  for (const Binding& b : bindings) {
    QUERN_ENSURE(!options.cancel.cancelled(), Errc::cancelled, file.path, ": loading was cancelled");
    const tensor::TensorView& view = b.view;
    done += view.size_bytes();
    if (!is_for_host(b.spec->role)) {
      auto weight = backend.prepare(view, usage_of(b, options.repack));
      if (!weight) return fail(weight.error().code, where(file, b.entry->name), weight.error().message);
      if (b.requantized != nullptr) QUERN_CHECK(b.requantized->status());
      const bool copied = (*weight)->size_bytes() > 0;  // others may keep pointing into the file
      if (copied) file.release(*b.entry, view);
      weights.add(b.spec->slot, b.layer, std::move(*weight), b.entry->name);
    }
    if (!options.progress || (done != total && done - reported < total / kReports)) continue;
    reported = done;
    QUERN_ENSURE(options.progress({"load", done, total}), Errc::cancelled, file.path, ": loading was cancelled");
  }
  return weights;
}

Result<std::vector<float>> read_factors(const io::ModelFile& file, const std::vector<Binding>& bindings, Slot slot) {
  std::vector<float> out;
  for (const Binding& b : bindings) {
    if (b.spec->slot != slot || b.spec->role != Role::factors) continue;
    const tensor::TensorView& view = b.entry->view;
    QUERN_TRY(const quant::FormatInfo* const format, quant::resolve_format(b.entry->type_id));
    out.resize(view.shape.elements());
    format->decode(view.data, out.data(), out.size());
    for (size_t i = 0; i < out.size(); ++i) {
      QUERN_ENSURE(std::isfinite(out[i]) && out[i] > 0, Errc::format, where(file, b.entry->name), "element ", i,
                   ": expected a positive number, found ", out[i]);
    }
  }
  return out;
}

Result<float> read_number(const io::ModelFile& file, const Binding& binding) {
  float value = 0;
  std::memcpy(&value, binding.entry->view.data, sizeof value);
  QUERN_ENSURE(std::isfinite(value), Errc::format, where(file, binding.entry->name), "expected a number, found ",
               value);
  return value;
}

}  // namespace quern::model
