#include <quern/model.h>

#include "lib/engine/api/impl.h"
#include "lib/engine/meta_text.h"
#include "lib/model/requantize.h"
#include "lib/quant/format.h"

namespace quern {
namespace {

ModelInfo describe(const model::LoadedModel& loaded, std::string name) {
  ModelInfo info;
  info.path = loaded.file.path;
  info.name = std::move(name);
  info.architecture = loaded.architecture;
  info.file_type = loaded.file_type;
  info.n_parameters = loaded.n_parameters;
  info.size_bytes = loaded.tensor_bytes;
  info.n_vocab = static_cast<uint32_t>(loaded.tokenizer->n_tokens());
  if (loaded.hparams) {
    const model::Hparams& hparams = *loaded.hparams;
    info.n_embd = hparams.n_embd;
    info.n_layer = hparams.n_layer;
    info.n_ctx_train = hparams.n_ctx_train;
    // Where layers differ, those of the first.
    if (!hparams.layers.empty()) {
      info.n_head = hparams.layers[0].n_head;
      info.n_head_kv = hparams.layers[0].n_head_kv;
      info.n_ff = hparams.layers[0].n_ff;
    }
  }
  return info;
}

}  // namespace

Result<Model> Model::open(const std::string& path, const ModelOptions& options) {
  return engine::guarded([&]() -> Result<Model> {
    QUERN_TRY(const auto* quantize, model::find_load_format(options.quantize, options.double_quant));
    auto impl = std::make_shared<Impl>();
    if (options.runtime) {
      impl->runtime = *options.runtime;
    } else {
      QUERN_TRY(impl->runtime, Runtime::create());
    }
    const engine::RuntimeState& state = *impl->runtime.impl().state;
    model::OpenOptions open;
    open.use_mmap = options.use_mmap;
    open.vocab_only = options.vocab_only;
    open.log = state.log;
    open.load.progress = options.progress;
    open.load.cancel = options.cancel;
    open.load.repack = options.repack;
    open.load.quantize = quantize;
    QUERN_TRY(auto loaded, model::open(path, *state.backend, open));
    // Whoever holds the loaded model holds the runtime whose backend its weights belong to.
    impl->loaded = std::shared_ptr<const model::LoadedModel>(
        loaded.release(), [runtime = impl->runtime](const model::LoadedModel* owned) { delete owned; });
    auto tokenizer = std::make_shared<Tokenizer::Impl>();
    tokenizer->loaded = impl->loaded;
    impl->tokenizer = Tokenizer(std::move(tokenizer));
    QUERN_TRY(engine::ModelTexts texts, engine::model_texts(impl->loaded->file.meta));
    impl->info = describe(*impl->loaded, std::move(texts.name));
    impl->chat_template = std::move(texts.chat_template);
    Model model;
    model.impl_ = std::move(impl);
    return model;
  });
}

const ModelInfo& Model::info() const { return impl_->info; }

const Tokenizer& Model::tokenizer() const { return impl_->tokenizer; }

const std::string& Model::chat_template() const { return impl_->chat_template; }

std::vector<std::pair<std::string, std::string>> Model::metadata() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& entry : impl_->loaded->file.meta.entries())
    out.emplace_back(entry.key, engine::meta_text(entry.value));
  return out;
}

std::optional<std::string> Model::metadata(std::string_view key) const {
  const io::MetaValue* value = impl_->loaded->file.meta.find(key);
  if (!value) return std::nullopt;
  return engine::meta_text(*value);
}

std::vector<TensorInfo> Model::tensors() const {
  std::vector<TensorInfo> out;
  for (const auto& entry : impl_->loaded->file.tensors.entries()) {
    TensorInfo info;
    info.name = entry.name;
    info.type = quant::type_name(entry.type_id);
    const auto& shape = entry.view.shape;
    info.shape.assign(shape.ne.begin(), shape.ne.begin() + shape.rank);
    info.size_bytes = entry.view.size_bytes();
    out.push_back(std::move(info));
  }
  return out;
}

Footprint Model::footprint() const {
  Footprint out;
  const model::LoadedModel& loaded = *impl_->loaded;
  loaded.weights.for_each([&](const compute::Weight& weight, const std::string&, size_t, size_t) {
    const quant::FormatInfo& format = *quant::find_format(weight.type());
    const uint64_t stored = uint64_t{weight.rows()} * weight.cols() / format.block_elems * format.block_bytes;
    switch (weight.usage()) {
      case compute::Usage::matmul:
        out.matrix_bytes += weight.size_bytes();
        break;
      case compute::Usage::matmul_in_source:
        out.kept_bytes += stored;
        break;
      case compute::Usage::gather:
        out.table_bytes += stored;
        break;
      case compute::Usage::vector:
        out.vector_bytes += weight.size_bytes();
        break;
    }
  });
  out.total_bytes = out.matrix_bytes + out.vector_bytes + out.table_bytes + out.kept_bytes;
  out.file_needed_bytes = out.table_bytes + out.kept_bytes;
  out.file_mapped = true;
  for (const base::FileBytes& part : loaded.file.parts) {
    out.file_bytes += part.bytes().size();
    out.file_mapped &= part.mapped();
  }
  return out;
}

const Runtime& Model::runtime() const { return impl_->runtime; }

}  // namespace quern
