#include "lib/model/open.h"

#include <algorithm>
#include <map>

#include "lib/hf/open.h"
#include "lib/io/names.h"
#include "lib/model/fingerprint.h"
#include "lib/model/requantize.h"
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
Status read_shape(LoadedModel& model, uint32_t n_tokens, const LogFn& log) {
  QUERN_TRY(model.hparams, read_hparams(model.file.meta, *model.spec));
  Hparams& hp = *model.hparams;
  hp.n_vocab = n_tokens;
  QUERN_TRY(const auto token_types, model.file.meta.get_uint("tokenizer.ggml.token_type_count"));
  if (token_types) hp.n_token_types = static_cast<uint32_t>(std::min<uint64_t>(*token_types, UINT32_MAX));
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
  if (any_local) model.ropes.local = RopeTable(hp.rope_local, hp.n_rot_local, {});
  return {};
}

Status read_layer_scales(LoadedModel& model, const std::vector<Binding>& bindings) {
  for (const Binding& b : bindings) {
    if (b.spec->slot != arch::Slot::layer_scale) continue;
    QUERN_TRY(model.hparams->layers[b.layer].output_scale, read_number(model.file, b));
  }
  return {};
}

Result<std::unique_ptr<LoadedModel>> open_vocabulary(const std::string& path, compute::Backend& backend,
                                                     const OpenOptions& options) {
  auto model = std::make_unique<LoadedModel>();
  QUERN_TRY(model->file, hf::open_model(path, {.use_mmap = options.use_mmap, .tokenizers = options.vocab_only}));
  model->backend = &backend;
  gather_facts(*model);
  QUERN_CHECK(read_architecture(*model));
  QUERN_CHECK(read_tokenizer(*model));
  const auto n_tokens = static_cast<uint32_t>(model->tokenizer->n_tokens());
  const bool known = model->spec != nullptr && read_shape(*model, n_tokens, options.log).has_value();
  if (!known) model->hparams.reset();
  return model;
}

Status check_architecture(const LoadedModel& model) {
  if (model.spec != nullptr) return {};
  std::string known;
  for (const arch::ArchSpec* spec : arch::architectures()) known += cat(known.empty() ? "" : ", ", spec->name);
  return fail(Errc::unsupported, model.file.path, ": the architecture ", io::quoted(model.architecture),
              " is not supported; these are: ", known);
}

/// The length of the vocabulary where the tokenizer is at fault, so that tensors can be compared with it.
uint32_t n_tokens_listed(const io::MetaTable& meta) {
  const auto tokens = meta.get_strings("tokenizer.ggml.tokens");
  return tokens && *tokens != nullptr ? static_cast<uint32_t>((*tokens)->size()) : 0;
}

void log_unused(const io::ModelFile& file, const BindingPlan& plan, const LogFn& log) {
  const size_t n = plan.unused.size() + plan.skipped.size();
  if (!log || n == 0) return;
  const io::TensorEntry& first = *(plan.unused.empty() ? plan.skipped : plan.unused).front();
  log(LogLevel::debug, cat(file.path, ": ", n, " tensors are not used, the first is ", io::quoted(first.name)));
}

/// Adds a fault where the status is an error; true if it is none.
bool note(Survey& survey, OpenStep step, const Status& status) {
  if (status) return true;
  survey.faults.push_back({step, status.error(), {}, false});
  ++survey.n_faults;
  return false;
}

void survey_tensors(Survey& out, const OpenOptions& options) {
  LoadedModel& model = *out.model;
  out.plan = plan_bindings(model.file, *model.spec, *model.hparams);
  for (const BindFault& fault : out.plan.faults)
    out.faults.push_back({OpenStep::tensors, fault.error, fault.tensor, fault.missing});
  out.n_faults += out.plan.n_faults;
  log_unused(model.file, out.plan, options.log);
  if (out.plan.n_faults > 0) return;
  const LoadOptions& load = options.load;
  if (load.quantize != nullptr) requantize(model.file, *load.quantize, load.repack, out.plan, options.log);
  note(out, OpenStep::tensors, make_ropes(model, out.plan.bindings));
  note(out, OpenStep::tensors, read_layer_scales(model, out.plan.bindings));
}

}  // namespace

Survey survey(const std::string& path, compute::Backend& backend, const OpenOptions& options) {
  Survey out;
  out.model = std::make_unique<LoadedModel>();
  LoadedModel& model = *out.model;
  model.backend = &backend;
  auto file = hf::open_model(path, {.use_mmap = options.use_mmap});
  if (!file) {
    note(out, OpenStep::file, file.error());
    return out;
  }
  model.file = std::move(*file);
  gather_facts(model);
  if (note(out, OpenStep::architecture, read_architecture(model)))
    note(out, OpenStep::architecture, check_architecture(model));
  const bool tokenizer = note(out, OpenStep::tokenizer, read_tokenizer(model));
  if (model.spec == nullptr) return out;
  const uint32_t n_vocab =
      tokenizer ? static_cast<uint32_t>(model.tokenizer->n_tokens()) : n_tokens_listed(model.file.meta);
  const bool shape = note(out, OpenStep::parameters, read_shape(model, n_vocab, options.log));
  if (shape && n_vocab > 0) survey_tensors(out, options);
  return out;
}

Result<std::unique_ptr<LoadedModel>> open(const std::string& path, compute::Backend& backend,
                                          const OpenOptions& options) {
  if (options.vocab_only) return open_vocabulary(path, backend, options);
  Survey found = survey(path, backend, options);
  if (!found.faults.empty()) return found.faults.front().error;
  LoadedModel& model = *found.model;
  model.fingerprint = fingerprint(model.file, model.architecture, options.load.quantize);
  QUERN_TRY(model.weights,
            prepare_weights(model.file, found.plan.bindings, model.hparams->n_layer, backend, options.load));
  return std::move(found.model);
}

}  // namespace quern::model
