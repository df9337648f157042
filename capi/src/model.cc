// Models: opening and looking at them.
#include "capi/src/door.h"

using namespace quern::capi;

extern "C" {

quern_status quern_model_open(const char* path, const quern_model_options* options, quern_model** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(path);
  return guard([&] {
    quern_model_options o = QUERN_MODEL_OPTIONS_INIT;
    QUERN_C_CHECK(read_options(options, o, "quern_model_options", offsetof(quern_model_options, no_repack)));
    quern::ModelOptions wanted;
    if (o.runtime) wanted.runtime = o.runtime->runtime;
    wanted.use_mmap = o.no_mmap == 0;
    wanted.repack = o.no_repack == 0;
    wanted.vocab_only = o.vocab_only != 0;
    if (o.quantize) wanted.quantize = o.quantize;
    wanted.double_quant = o.double_quant != 0;
    wanted.progress = progress_of(o.progress, o.progress_user);
    wanted.cancel = cancel_of(o.cancel);
    auto model = quern::Model::open(path, wanted);
    if (!model) return refuse(model.error());
    auto metadata = model->metadata();
    auto tensors = model->tensors();
    *out = new quern_model{std::move(*model), std::move(metadata), std::move(tensors)};
    return QUERN_OK;
  });
}

quern_status quern_model_get_runtime(const quern_model* model, quern_runtime** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(model);
  return guard([&] {
    const quern::Runtime& runtime = model->model.runtime();
    *out = new quern_runtime{runtime, runtime.description()};
    return QUERN_OK;
  });
}

void quern_model_close(quern_model* model) { delete model; }

quern_status quern_model_get_info(const quern_model* model, quern_model_info* out) {
  QUERN_C_NEED(model);
  QUERN_C_NEED(out);
  return guard([&] {
    const quern::ModelInfo& info = model->model.info();
    quern_model_info from = QUERN_MODEL_INFO_INIT;
    from.path = info.path.c_str();
    from.name = info.name.c_str();
    from.architecture = info.architecture.c_str();
    from.file_type = info.file_type.c_str();
    from.n_parameters = info.n_parameters;
    from.size_bytes = info.size_bytes;
    from.n_vocab = info.n_vocab;
    from.n_embd = info.n_embd;
    from.n_layer = info.n_layer;
    from.n_head = info.n_head;
    from.n_head_kv = info.n_head_kv;
    from.n_ff = info.n_ff;
    from.n_ctx_train = info.n_ctx_train;
    return write_info(from, out, "quern_model_info");
  });
}

quern_status quern_model_footprint(const quern_model* model, quern_footprint* out) {
  QUERN_C_NEED(model);
  QUERN_C_NEED(out);
  return guard([&] {
    const quern::Footprint footprint = model->model.footprint();
    quern_footprint from = QUERN_FOOTPRINT_INIT;
    from.matrix_bytes = footprint.matrix_bytes;
    from.vector_bytes = footprint.vector_bytes;
    from.table_bytes = footprint.table_bytes;
    from.kept_bytes = footprint.kept_bytes;
    from.total_bytes = footprint.total_bytes;
    from.file_bytes = footprint.file_bytes;
    from.file_needed_bytes = footprint.file_needed_bytes;
    from.file_mapped = footprint.file_mapped ? 1 : 0;
    return write_info(from, out, "quern_footprint");
  });
}

const char* quern_model_chat_template(const quern_model* model) {
  return model ? model->model.chat_template().c_str() : "";
}

size_t quern_model_n_metadata(const quern_model* model) { return model ? model->metadata.size() : 0; }

const char* quern_model_metadata_key(const quern_model* model, size_t index) {
  return model && index < model->metadata.size() ? model->metadata[index].first.c_str() : nullptr;
}

const char* quern_model_metadata_value(const quern_model* model, size_t index) {
  return model && index < model->metadata.size() ? model->metadata[index].second.c_str() : nullptr;
}

const char* quern_model_metadata_find(const quern_model* model, const char* key) {
  if (!model || !key) return nullptr;
  for (const auto& [name, value] : model->metadata) {
    if (name == key) return value.c_str();
  }
  return nullptr;
}

size_t quern_model_n_tensors(const quern_model* model) { return model ? model->tensors.size() : 0; }

quern_status quern_model_get_tensor(const quern_model* model, size_t index, quern_tensor_info* out) {
  QUERN_C_NEED(model);
  QUERN_C_NEED(out);
  return guard([&] {
    if (index >= model->tensors.size()) {
      return refuse(quern::Errc::argument,
                    "tensor " + std::to_string(index) + " of " + std::to_string(model->tensors.size()));
    }
    const quern::TensorInfo& tensor = model->tensors[index];
    quern_tensor_info from = QUERN_TENSOR_INFO_INIT;
    from.name = tensor.name.c_str();
    from.type = tensor.type.c_str();
    for (const uint64_t length : tensor.shape) {
      if (from.n_dims < 4) from.shape[from.n_dims++] = length;
    }
    from.size_bytes = tensor.size_bytes;
    return write_info(from, out, "quern_tensor_info");
  });
}

}  // extern "C"
