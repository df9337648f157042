// Importance matrices.
#include "capi/src/door.h"

using namespace quern::capi;

extern "C" {

quern_status quern_imatrix_create(quern_imatrix** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  return guard([&] {
    *out = new quern_imatrix;
    return QUERN_OK;
  });
}

quern_status quern_imatrix_open(const char* path, quern_imatrix** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(path);
  return guard([&] {
    auto imatrix = quern::Imatrix::open(path);
    if (!imatrix) return refuse(imatrix.error());
    *out = new quern_imatrix{std::move(*imatrix), {}};
    return QUERN_OK;
  });
}

void quern_imatrix_close(quern_imatrix* imatrix) { delete imatrix; }

quern_status quern_imatrix_collect(quern_imatrix* imatrix, const quern_model* model, const quern_token* tokens,
                                   size_t n_tokens, const quern_imatrix_options* options) {
  QUERN_C_NEED(imatrix);
  QUERN_C_NEED(model);
  return guard([&] {
    QUERN_C_CHECK(check_array(tokens, n_tokens, "tokens"));
    quern_imatrix_options o = QUERN_IMATRIX_OPTIONS_INIT;
    QUERN_C_CHECK(read_options(options, o, "quern_imatrix_options", offsetof(quern_imatrix_options, on_chunk)));
    quern::ImatrixOptions wanted;
    if (o.n_ctx) wanted.n_ctx = o.n_ctx;
    if (o.n_batch) wanted.n_batch = o.n_batch;
    wanted.first_chunk = o.first_chunk;
    if (o.max_chunks != 0) wanted.max_chunks = o.max_chunks;
    wanted.process_output = o.process_output != 0;
    if (o.dataset) wanted.dataset = o.dataset;
    wanted.progress = progress_of(o.progress, o.progress_user);
    wanted.cancel = cancel_of(o.cancel);
    if (o.on_chunk) {
      wanted.on_chunk = [imatrix, function = o.on_chunk, user = o.on_chunk_user](uint32_t n_chunks) {
        imatrix->tensors.clear();
        function(user, n_chunks);
      };
    }
    imatrix->tensors.clear();
    return finish(imatrix->imatrix.collect(model->model, {tokens, n_tokens}, wanted));
  });
}

quern_status quern_imatrix_merge(quern_imatrix* imatrix, const quern_imatrix* other) {
  QUERN_C_NEED(imatrix);
  QUERN_C_NEED(other);
  return guard([&] {
    imatrix->tensors.clear();
    return finish(imatrix->imatrix.merge(other->imatrix));
  });
}

quern_status quern_imatrix_save(const quern_imatrix* imatrix, const char* path, int32_t format) {
  QUERN_C_NEED(imatrix);
  QUERN_C_NEED(path);
  return guard([&] { return finish(imatrix->imatrix.save(path, static_cast<quern::ImatrixFormat>(format))); });
}

quern_status quern_imatrix_get_info(const quern_imatrix* imatrix, quern_imatrix_info* out) {
  QUERN_C_NEED(imatrix);
  QUERN_C_NEED(out);
  return guard([&] {
    quern_imatrix_info info = QUERN_IMATRIX_INFO_INIT;
    info.n_tensors = imatrix->imatrix.n_tensors();
    info.n_chunks = imatrix->imatrix.n_chunks();
    info.chunk_size = imatrix->imatrix.chunk_size();
    return write_info(info, out, "quern_imatrix_info");
  });
}

quern_status quern_imatrix_get_tensor(quern_imatrix* imatrix, size_t index, quern_imatrix_tensor* out) {
  QUERN_C_NEED(imatrix);
  QUERN_C_NEED(out);
  return guard([&] {
    if (imatrix->tensors.empty()) imatrix->tensors = imatrix->imatrix.statistics();
    if (index >= imatrix->tensors.size()) {
      return refuse(quern::Errc::argument, "index " + std::to_string(index) + ": the matrix has " +
                                               std::to_string(imatrix->tensors.size()) + " tensors");
    }
    const quern::ImatrixTensor& from = imatrix->tensors[index];
    quern_imatrix_tensor tensor = QUERN_IMATRIX_TENSOR_INIT;
    tensor.name = from.name.c_str();
    tensor.n_values = from.n_values;
    tensor.layer = from.layer;
    tensor.sum = from.sum;
    tensor.min = from.min;
    tensor.max = from.max;
    tensor.mean = from.mean;
    tensor.stddev = from.stddev;
    tensor.active = from.active;
    tensor.entropy = from.entropy;
    tensor.normalized_entropy = from.normalized_entropy;
    tensor.zd_score = from.zd_score;
    tensor.cosine = from.cosine;
    return write_info(tensor, out, "quern_imatrix_tensor");
  });
}

quern_status quern_imatrix_weights(const quern_imatrix* imatrix, const char* tensor, float* buffer, size_t capacity,
                                   size_t* needed) {
  QUERN_C_NEED(imatrix);
  QUERN_C_NEED(tensor);
  QUERN_C_NEED(needed);
  *needed = 0;
  return guard([&] {
    const auto weights = imatrix->imatrix.weights(tensor);
    return write_array(weights.data(), weights.size(), buffer, capacity, needed);
  });
}

quern_status quern_imatrix_get_layer(const quern_imatrix* imatrix, size_t index, quern_imatrix_layer* out) {
  QUERN_C_NEED(imatrix);
  QUERN_C_NEED(out);
  return guard([&] {
    const auto layers = imatrix->imatrix.layer_statistics();
    if (index >= layers.size()) {
      return refuse(quern::Errc::argument, "layer " + std::to_string(index) + " of " + std::to_string(layers.size()));
    }
    quern_imatrix_layer from = QUERN_IMATRIX_LAYER_INIT;
    from.layer = layers[index].layer;
    from.sum = layers[index].sum;
    from.zd_score = layers[index].zd_score;
    from.cosine = layers[index].cosine;
    return write_info(from, out, "quern_imatrix_layer");
  });
}

const char* quern_imatrix_dataset(const quern_imatrix* imatrix, size_t index) {
  if (!imatrix || index >= imatrix->imatrix.datasets().size()) return nullptr;
  return imatrix->imatrix.datasets()[index].c_str();
}

}  // extern "C"
