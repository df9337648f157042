#include "lib/model/adapter.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "lib/io/names.h"
#include "lib/model/bind.h"
#include "lib/model/hash.h"
#include "lib/quant/format.h"
#include "lib/quant/rows.h"

namespace quern::model {

using arch::Experts;
using arch::Role;
using arch::TensorSpec;
using compute::Usage;
using io::LowRank;

namespace {

/// An expert of a tensor, or the tensor that a slot is of.
struct Place {
  const TensorSpec* spec = nullptr;
  uint32_t layer = 0, expert = 0;  ///< expert: the first one of those meant
  uint32_t n_experts = 1;          ///< of those meant
};

bool is_stacked(const TensorSpec& spec) {
  return spec.experts == Experts::stacked || spec.experts == Experts::per_head;
}

}  // namespace

/// Finds the weights that the parts of an adapter belong to, through the names that the architecture gives to tensors:
/// so it does not matter in which of several forms the model's own file has them.
class AdapterBinder {
 public:
  AdapterBinder(const LoadedModel& model, io::AdapterFile file)
      : model_(model), adapter_(new Adapter(model, std::move(file))) {}

  Result<std::shared_ptr<const Adapter>> bind() {
    const io::AdapterFile& file = adapter_->file_;
    QUERN_ENSURE(file.architecture.empty() || file.architecture == model_.architecture, Errc::argument, file.path,
                 ": expected an adapter for the model's architecture ", io::quoted(model_.architecture),
                 ", found one for ", io::quoted(file.architecture));
    Hash hash;
    for (const LowRank& part : file.parts) {
      QUERN_CHECK(bind_part(part));
      add_to(hash, part);
    }
    QUERN_ENSURE(!building_.empty(), Errc::argument, file.path, ": the adapter changes nothing in this model");
    for (auto& [first, made] : building_) {
      for (Building& one : made) {
        QUERN_CHECK(fill_experts(one));
        for (const auto& weight : one.part.a) adapter_->size_bytes_ += weight->size_bytes();
        for (const auto& weight : one.part.b) adapter_->size_bytes_ += weight->size_bytes();
        adapter_->parts_[first].push_back(std::move(one.part));
      }
    }
    adapter_->fingerprint_ = hash.value();
    return std::shared_ptr<const Adapter>(std::move(adapter_));
  }

 private:
  /// A part of the adapter for one slot; of experts that come one by one, as far as they have come.
  struct Building {
    Adapter::Part part;
    uint64_t rank = 0;
    bool one_by_one = false;
  };

  Error wrong(const LowRank& part, const std::string& tensor, const tensor::TensorView& view,
              const tensor::Shape& expected) const {
    return fail(Errc::argument, adapter_->file_.path, ": tensor ", io::quoted(tensor), ": expected the shape ",
                tensor::to_string(expected), " for the model's ", io::quoted(part.target), ", found ",
                tensor::to_string(view.shape));
  }

  Status bind_part(const LowRank& part) {
    bool bound = false;
    for (const TensorSpec& spec : model_.spec->tensors) {
      const auto place = place_of(spec, part);
      if (!place) continue;
      QUERN_CHECK(bind_slot(part, *place));
      bound = true;
    }
    if (bound) {
      adapter_->rank_ = std::max(adapter_->rank_, part.rank());
      return {};
    }
    // A tensor of the file that the model does not use.
    if (model_.file.tensors.find(part.target) != nullptr) return {};
    return fail(Errc::argument, adapter_->file_.path, ": tensor ", io::quoted(part.a_name), ": the model ",
                model_.file.path, " has no weight ", io::quoted(part.target), " that an adapter could change");
  }

  /// Where a specification means the part's weight, and the model has it in that slot.
  std::optional<Place> place_of(const TensorSpec& spec, const LowRank& part) const {
    const bool table = spec.slot == arch::Slot::token_embd;
    if (spec.role != Role::matrix && !table) return std::nullopt;
    const auto numbers = io::numbers_in(spec.name, part.target);
    if (!numbers || (arch::is_per_layer(spec.slot) && numbers->first >= model_.hparams->n_layer)) return std::nullopt;
    const auto weights = model_.weights.experts(spec.slot, numbers->first);
    const Hparams& hp = *model_.hparams;
    const bool here = weights.size() == n_weights(spec, hp, numbers->first) &&
                      weights.front()->cols() == hp.dim(spec.cols, numbers->first) &&
                      weights.front()->rows() == hp.dim(spec.rows, numbers->first);
    if (!here) return std::nullopt;
    Place place{&spec, numbers->first, numbers->second, 1};
    if (is_stacked(spec) && part.expert == LowRank::kWhole) place.n_experts = static_cast<uint32_t>(weights.size());
    if (is_stacked(spec) && part.expert >= 0) place.expert = static_cast<uint32_t>(part.expert);
    return place.expert + place.n_experts <= weights.size() ? std::optional(place) : std::nullopt;
  }

  Status bind_slot(const LowRank& part, const Place& place) {
    const TensorSpec& spec = *place.spec;
    const bool table = spec.role == Role::table, whole = part.expert == LowRank::kWhole;
    tensor::Shape shape = tensor_shape(spec, *model_.hparams, place.layer);
    if (!whole) shape.ne[2] = 1;
    const uint64_t rank = part.rank(), in = shape.ne[0], out = shape.ne[1], experts = shape.ne[2];
    const uint32_t rank_of_shape = experts > 1 ? 3 : 2;
    // The table's columns are the outputs, its rows what is looked up.
    const tensor::Shape a =
        table ? tensor::Shape{{rank, out, 1, 1}, 2} : tensor::Shape{{in, rank, experts, 1}, rank_of_shape};
    const tensor::Shape b =
        table ? tensor::Shape{{rank, in, 1, 1}, 2} : tensor::Shape{{rank, out, experts, 1}, rank_of_shape};
    if (part.a.shape.ne != a.ne) return wrong(part, part.a_name, part.a, a);
    if (part.b.shape.ne != b.ne) return wrong(part, part.b_name, part.b, b);

    const auto weights = model_.weights.experts(spec.slot, place.layer);
    const bool one_by_one = place.n_experts < weights.size();
    QUERN_TRY(Building* const made, building(part, place, weights, one_by_one));
    for (uint32_t i = 0; i < place.n_experts; ++i) {
      const uint32_t expert = place.expert + i;
      const RowRange rows = rows_of(spec, *model_.hparams, place.layer, whole ? expert : 0);
      QUERN_TRY(made->part.a[expert], prepare(table ? part.a : part.a.slice((whole ? i : 0) * rank, rank),
                                              table ? Usage::gather : Usage::matmul));
      QUERN_TRY(made->part.b[expert], prepare(table ? part.b : part.b.slice(rows.first, rows.count), Usage::matmul));
    }
    return {};
  }

  /// What the part goes to: experts that come one by one go together.
  Result<Building*> building(const LowRank& part, const Place& place,
                             std::span<const std::unique_ptr<compute::Weight>> weights, bool one_by_one) {
    std::vector<Building>& all = building_[weights.front().get()];
    if (one_by_one) {
      for (Building& made : all) {
        if (!made.one_by_one || made.part.a[place.expert] != nullptr) continue;
        QUERN_ENSURE(made.rank == part.rank() && made.part.scale == part.scale, Errc::unsupported, adapter_->file_.path,
                     ": tensor ", io::quoted(part.b_name), ": expected the rank ", made.rank,
                     " and the scale of the other experts, found the rank ", part.rank());
        return &made;
      }
    }
    Building made;
    made.part.a.resize(weights.size());
    made.part.b.resize(weights.size());
    made.part.scale = part.scale;
    made.rank = part.rank();
    made.one_by_one = one_by_one;
    all.push_back(std::move(made));
    return &all.back();
  }

  /// Experts that an adapter leaves as they are have matrices of zeros.
  Status fill_experts(Building& made) {
    const auto& some_a =
        **std::find_if(made.part.a.begin(), made.part.a.end(), [](const auto& w) { return w != nullptr; });
    const auto& some_b =
        **std::find_if(made.part.b.begin(), made.part.b.end(), [](const auto& w) { return w != nullptr; });
    for (auto* const side : {&made.part.a, &made.part.b}) {
      const compute::Weight& like = side == &made.part.a ? some_a : some_b;
      for (auto& weight : *side) {
        if (weight != nullptr) continue;
        QUERN_TRY(weight,
                  prepare_floats(std::vector<float>(uint64_t{like.rows()} * like.cols()), like.cols(), Usage::matmul));
      }
    }
    return {};
  }

  Result<std::unique_ptr<compute::Weight>> prepare_floats(std::vector<float> floats, uint64_t cols, Usage usage) {
    adapter_->decoded_.push_back(std::move(floats));
    const std::vector<float>& kept = adapter_->decoded_.back();
    tensor::TensorView view;
    view.data = reinterpret_cast<const std::byte*>(kept.data());
    view.shape = {{cols, kept.size() / cols, 1, 1}, 2};
    view.row_bytes = cols * sizeof(float);
    return model_.backend->prepare(view, usage);
  }

  /// Plain numbers as they are; others decoded, so that the activations are not rounded for them.
  Result<std::unique_ptr<compute::Weight>> prepare(const tensor::TensorView& view, Usage usage) {
    QUERN_TRY(const quant::FormatInfo* const format, quant::resolve_format(static_cast<uint32_t>(view.type)));
    if (format->block_elems == 1 || usage == Usage::gather) return model_.backend->prepare(view, usage);
    std::vector<float> floats(view.shape.elements());
    quant::RowReader(view, *format).read(0, view.shape.rows(), floats.data());
    return prepare_floats(std::move(floats), view.shape.cols(), usage);
  }

  static void add_to(Hash& hash, const LowRank& part) {
    hash.text(part.target);
    hash.number(static_cast<uint64_t>(part.expert));
    hash.object(part.scale);
    std::vector<std::byte> scratch;
    for (const tensor::TensorView* view : {&part.a, &part.b}) {
      hash.number(static_cast<uint64_t>(view->type));
      for (const uint64_t n : view->shape.ne) hash.number(n);
      hash.bytes({view->rows(0, view->shape.rows(), scratch), view->size_bytes()});
    }
  }

  const LoadedModel& model_;
  std::unique_ptr<Adapter> adapter_;
  std::map<const compute::Weight*, std::vector<Building>> building_;  ///< by the first weight of a slot
};

Result<std::shared_ptr<const Adapter>> Adapter::prepare(const LoadedModel& model, io::AdapterFile file) {
  QUERN_ENSURE(model.runnable(), Errc::argument, model.file.path,
               ": opened for its vocabulary alone: it takes no adapters");
  return AdapterBinder(model, std::move(file)).bind();
}

Status check_adapters(const AdapterList& adapters, const LoadedModel& model) {
  for (const AdapterUse& use : adapters) {
    QUERN_ENSURE(use.adapter != nullptr, Errc::argument, "an adapter that was not opened");
    const std::string& path = use.adapter->file().path;
    QUERN_ENSURE(&use.adapter->model() == &model, Errc::argument, path, ": the adapter was opened for another model");
    QUERN_ENSURE(std::isfinite(use.scale), Errc::argument, path, ": expected a number as its scale, found ", use.scale);
  }
  return {};
}

uint64_t fingerprint(const AdapterList& adapters) {
  if (adapters.empty()) return 0;
  Hash hash;
  for (const AdapterUse& use : adapters) {
    hash.number(use.adapter->fingerprint());
    hash.object(use.scale);
  }
  return hash.value();
}

}  // namespace quern::model
