#include "lib/model/bind.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "lib/io/names.h"
#include "lib/quant/format.h"

namespace quern::model {
namespace {

using arch::Role;
using arch::Slot;
using arch::TensorSpec;

std::string tensor_name(const char* pattern, uint32_t layer) {
  std::string name = pattern;
  const size_t place = name.find("{}");
  if (place != std::string::npos) name.replace(place, 2, std::to_string(layer));
  return name;
}

std::string where(const io::ModelFile& file, std::string_view tensor) {
  return cat(file.path, ": tensor ", io::quoted(tensor), ": ");
}

Status check_type(const io::ModelFile& file, const io::TensorEntry& entry, Role role) {
  const tensor::DType type = entry.view.type;
  const auto refuse = [&](const char* expected) {
    return fail(Errc::unsupported, where(file, entry.name), "expected ", expected, ", found type ",
                quant::type_name(entry.type_id));
  };
  if (role == Role::vector) {
    if (type != tensor::DType::f32 && type != tensor::DType::f16) return refuse("F32 or F16");
  } else if (role == Role::factors) {
    if (type != tensor::DType::f32) return refuse("F32");
  } else if (auto format = quant::resolve_format(entry.type_id); !format) {
    return fail(format.error().code, where(file, entry.name), format.error().message);
  }
  return {};
}

Status check_shape(const io::ModelFile& file, const io::TensorEntry& entry, const TensorSpec& spec, const Hparams& hp,
                   uint32_t layer) {
  const uint64_t cols = hp.dim(spec.cols, layer), rows = hp.dim(spec.rows, layer);
  const tensor::Shape& shape = entry.view.shape;
  const bool fits = shape.ne[0] == cols && shape.ne[1] == rows && shape.ne[2] == 1 && shape.ne[3] == 1;
  const tensor::Shape expected{{cols, rows, 1, 1}, spec.rows == arch::Dim::one ? 1u : 2u};
  QUERN_ENSURE(fits, Errc::format, where(file, entry.name), "expected the shape ", tensor::to_string(expected),
               ", found ", tensor::to_string(shape));
  return {};
}

/// The tensor of one slot and layer; an entry of nullptr where it is optional and absent.
Result<const io::TensorEntry*> find_tensor(const io::ModelFile& file, const arch::ArchSpec& arch,
                                           const TensorSpec& spec, uint32_t layer) {
  const std::string name = tensor_name(spec.name, layer);
  if (const io::TensorEntry* entry = file.tensors.find(name)) return entry;
  if (spec.stand_in != Slot::none) {
    for (const TensorSpec& other : arch.tensors) {
      if (other.slot == spec.stand_in) return file.tensors.find(tensor_name(other.name, layer));
    }
  }
  QUERN_ENSURE(spec.optional, Errc::format, where(file, name), "missing, but the architecture ", io::quoted(arch.name),
               " needs it");
  return static_cast<const io::TensorEntry*>(nullptr);
}

void log_unused(const io::ModelFile& file, const std::vector<Binding>& bindings, const LogFn& log) {
  if (!log) return;
  std::set<const io::TensorEntry*> used;
  for (const Binding& binding : bindings) used.insert(binding.entry);
  const size_t unused = file.tensors.entries().size() - used.size();
  if (unused == 0) return;
  const auto first = std::find_if(file.tensors.entries().begin(), file.tensors.entries().end(),
                                  [&](const io::TensorEntry& entry) { return used.count(&entry) == 0; });
  log(LogLevel::debug, cat(file.path, ": ", unused, " tensors are not used, the first is ", io::quoted(first->name)));
}

compute::Usage usage_of(Role role, bool repack) {
  if (role == Role::table) return compute::Usage::gather;
  if (role == Role::vector) return compute::Usage::vector;
  return repack ? compute::Usage::matmul : compute::Usage::matmul_in_source;
}

}  // namespace

Result<std::vector<Binding>> plan_bindings(const io::ModelFile& file, const arch::ArchSpec& spec,
                                           const Hparams& hparams, const LogFn& log) {
  std::vector<Binding> out;
  for (const TensorSpec& tensor : spec.tensors) {
    const uint32_t copies = arch::is_per_layer(tensor.slot) ? hparams.n_layer : 1;
    for (uint32_t layer = 0; layer < copies; ++layer) {
      QUERN_TRY(const io::TensorEntry* const entry, find_tensor(file, spec, tensor, layer));
      if (entry == nullptr) continue;
      QUERN_CHECK(check_type(file, *entry, tensor.role));
      QUERN_CHECK(check_shape(file, *entry, tensor, hparams, layer));
      out.push_back({&tensor, layer, entry});
    }
  }
  log_unused(file, out, log);
  return out;
}

Result<Weights> prepare_weights(const io::ModelFile& file, const std::vector<Binding>& bindings, uint32_t n_layer,
                                compute::Backend& backend, const LoadOptions& options) {
  Weights weights(n_layer);
  constexpr uint64_t kReports = 200;  // at most about so many calls of `progress`
  uint64_t total = 0, done = 0, reported = 0;
  for (const Binding& b : bindings) total += b.entry->view.size_bytes();
  for (const Binding& b : bindings) {
    QUERN_ENSURE(!options.cancel.cancelled(), Errc::cancelled, file.path, ": loading was cancelled");
    const tensor::TensorView& view = b.entry->view;
    done += view.size_bytes();
    if (b.spec->role != Role::factors) {
      auto weight = backend.prepare(view, usage_of(b.spec->role, options.repack));
      if (!weight) return fail(weight.error().code, where(file, b.entry->name), weight.error().message);
      const bool copied = (*weight)->size_bytes() > 0;  // others may keep pointing into the file
      if (copied) file.parts[b.entry->file_index].release({view.data, view.size_bytes()});
      weights.set(b.spec->slot, b.layer, std::move(*weight), b.entry->name);
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

}  // namespace quern::model
