#include "lib/model/open.h"

#include <algorithm>
#include <map>

#include "lib/io/names.h"
#include "lib/model/fingerprint.h"
#include "lib/model/vocab_from_meta.h"
#include "lib/quant/format.h"

namespace quern::model {
namespace {

void gather_facts(LoadedModel& model) {
  std::map<uint32_t, uint64_t> bytes_by_type;
  for (const io::TensorEntry& entry : model.file.tensors.entries()) {
    model.n_parameters += entry.view.shape.elements();
    model.tensor_bytes += entry.view.size_bytes();
    bytes_by_type[entry.type_id] += entry.view.size_bytes();
  }
  const auto commonest = std::max_element(bytes_by_type.begin(), bytes_by_type.end(),
                                          [](const auto& a, const auto& b) { return a.second < b.second; });
  if (commonest != bytes_by_type.end()) model.file_type = quant::type_name(commonest->first);
}

Status read_architecture(LoadedModel& model) {
  if (model.file.tokenizer_only) return {};
  QUERN_TRY(const std::string* const name, model.file.meta.get_string("general.architecture"));
  QUERN_ENSURE(name != nullptr, Errc::format, model.file.path, ": key 'general.architecture': missing");
  model.architecture = *name;
  model.spec = arch::find_arch(*name);
  return {};
}

Status read_tokenizer(LoadedModel& model) {
  QUERN_TRY(text::Vocab vocab, vocab_from_meta(model.file.meta));
  QUERN_TRY(model.tokenizer, text::Tokenizer::build(std::move(vocab), model.file.path));
  return {};
}

/// Reads the hyper-parameters and joins them with the vocabulary. The tensors decide which length is right: binding
/// compares them with the tokens. A vocab_size key that differs is reported only; other readers pass it over too.
Status read_shape(LoadedModel& model, const LogFn& log) {
  QUERN_TRY(model.hparams, read_hparams(model.file.meta, *model.spec));
  Hparams& hp = *model.hparams;
  hp.n_vocab = static_cast<uint32_t>(model.tokenizer->n_tokens());
  if (log && hp.vocab_size != 0 && hp.vocab_size != hp.n_vocab) {
    log(LogLevel::warning,
        cat(model.file.path, ": the key vocab_size says ", hp.vocab_size, ", but there are ", hp.n_vocab, " tokens"));
  }
  return {};
}

/// The tables of rotary embedding, with the file's divisors.
Status make_ropes(LoadedModel& model, const std::vector<Binding>& bindings) {
  using arch::Slot;
  const Hparams& hp = *model.hparams;
  const auto table = [&](Slot slot) -> Result<RopeTable> {
    QUERN_TRY(const std::vector<float> divisors, read_factors(model.file, bindings, slot));
    return RopeTable(hp.rope, hp.n_rot, divisors);
  };
  const auto has = [&](Slot slot) {
    return std::any_of(bindings.begin(), bindings.end(), [&](const Binding& b) { return b.spec->slot == slot; });
  };
  model.ropes.has_long = has(Slot::rope_long) && !has(Slot::rope_freqs);
  QUERN_TRY(model.ropes.global, table(model.ropes.has_long ? Slot::rope_short : Slot::rope_freqs));
  if (model.ropes.has_long) {
    QUERN_TRY(model.ropes.long_context, table(Slot::rope_long));
  }
  const bool any_local = std::any_of(hp.layers.begin(), hp.layers.end(),
                                     [](const LayerParams& layer) { return layer.rope == LayerRope::local; });
  if (any_local) model.ropes.local = RopeTable(hp.rope_local, hp.n_rot, {});
  return {};
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> open(const std::string& path, compute::Backend& backend,
                                          const OpenOptions& options) {
  auto model = std::make_unique<LoadedModel>();
  QUERN_TRY(model->file, io::open_model_file(path, {.use_mmap = options.use_mmap, .tokenizers = options.vocab_only}));
  model->backend = &backend;
  gather_facts(*model);
  QUERN_CHECK(read_architecture(*model));
  if (options.vocab_only) {
    QUERN_CHECK(read_tokenizer(*model));
    const bool known = model->spec != nullptr && read_shape(*model, options.log).has_value();
    if (!known) model->hparams.reset();
    return model;
  }
  QUERN_ENSURE(model->spec != nullptr, Errc::unsupported, path, ": the architecture ", io::quoted(model->architecture),
               " is not supported");
  QUERN_CHECK(read_tokenizer(*model));
  QUERN_CHECK(read_shape(*model, options.log));
  const Hparams& hp = *model->hparams;
  QUERN_TRY(const std::vector<Binding> bindings, plan_bindings(model->file, *model->spec, hp, options.log));
  QUERN_CHECK(make_ropes(*model, bindings));
  model->fingerprint = fingerprint(model->file, model->architecture);
  QUERN_TRY(model->weights, prepare_weights(model->file, bindings, hp.n_layer, backend, options.load));
  return model;
}

}  // namespace quern::model
