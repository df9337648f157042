// Contexts: sequences and the forward pass.
#include <algorithm>
#include <cstdint>

#include "capi/src/door.h"

using namespace quern::capi;

namespace quern::capi {
namespace {

quern_status read_cache_type(int32_t type, const char* name, CacheType& out) {
  switch (type) {
    case QUERN_CACHE_F16:
      out = CacheType::f16;
      return QUERN_OK;
    case QUERN_CACHE_F32:
      out = CacheType::f32;
      return QUERN_OK;
    case QUERN_CACHE_Q8_0:
      out = CacheType::q8_0;
      return QUERN_OK;
    case QUERN_CACHE_Q4_0:
      out = CacheType::q4_0;
      return QUERN_OK;
    default:
      return refuse(Errc::unsupported, std::string(name) + ": unknown cache type " + std::to_string(type));
  }
}

quern_status read_decode_options(const quern_decode_options* given, DecodeOptions& out) {
  quern_decode_options o = QUERN_DECODE_OPTIONS_INIT;
  QUERN_C_CHECK(read_options(given, o, "quern_decode_options"));
  out.progress = progress_of(o.progress, o.progress_user);
  out.cancel = cancel_of(o.cancel);
  return QUERN_OK;
}

}  // namespace

quern_status read_context_options(const quern_context_options* given, ContextOptions& out) {
  quern_context_options o = QUERN_CONTEXT_OPTIONS_INIT;
  QUERN_C_CHECK(read_options(given, o, "quern_context_options", offsetof(quern_context_options, n_checkpoints)));
  out.n_ctx = o.n_ctx;
  if (o.n_batch) out.n_batch = o.n_batch;
  if (o.n_seq_max) out.n_seq_max = o.n_seq_max;
  if (o.n_checkpoints > UINT32_MAX) return refuse(Errc::argument, "n_checkpoints: " + std::to_string(o.n_checkpoints));
  if (o.n_checkpoints != 0) out.n_checkpoints = static_cast<uint32_t>(std::max<int64_t>(o.n_checkpoints, 0));
  QUERN_C_CHECK(read_cache_type(o.type_k, "type_k", out.type_k));
  return read_cache_type(o.type_v, "type_v", out.type_v);
}

}  // namespace quern::capi

extern "C" {

quern_status quern_context_create(const quern_model* model, const quern_context_options* options, quern_context** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(model);
  return guard([&] {
    quern::ContextOptions wanted;
    QUERN_C_CHECK(read_context_options(options, wanted));
    auto context = quern::Context::create(model->model, wanted);
    if (!context) return refuse(context.error());
    auto handle = std::make_unique<quern_context>();
    handle->own.emplace(std::move(*context));
    handle->context = &*handle->own;
    *out = handle.release();
    return QUERN_OK;
  });
}

void quern_context_close(quern_context* context) {
  // A chat's context belongs to the chat.
  if (context && context->own) delete context;
}

quern_status quern_context_decode(quern_context* context, const quern_batch_token* batch, size_t n_tokens,
                                  const quern_decode_options* options) {
  QUERN_C_NEED(context);
  return guard([&] {
    QUERN_C_CHECK(check_array(batch, n_tokens, "batch"));
    quern::DecodeOptions wanted;
    QUERN_C_CHECK(read_decode_options(options, wanted));
    std::vector<quern::BatchToken> tokens(n_tokens);
    for (size_t i = 0; i < n_tokens; ++i) {
      tokens[i] = {batch[i].token, batch[i].position, batch[i].sequence, batch[i].logits != 0};
    }
    return finish(context->context->decode(tokens, wanted));
  });
}

quern_status quern_context_append(quern_context* context, const quern_token* tokens, size_t n_tokens, int32_t sequence,
                                  int32_t all_logits, const quern_decode_options* options) {
  QUERN_C_NEED(context);
  return guard([&] {
    QUERN_C_CHECK(check_array(tokens, n_tokens, "tokens"));
    quern::DecodeOptions wanted;
    QUERN_C_CHECK(read_decode_options(options, wanted));
    return finish(context->context->append({tokens, n_tokens}, sequence, all_logits != 0, wanted));
  });
}

const float* quern_context_logits(const quern_context* context, size_t index) {
  if (!context || index >= context->context->n_logits()) return nullptr;
  return context->context->logits(index).data();
}

size_t quern_context_n_logits(const quern_context* context) { return context ? context->context->n_logits() : 0; }

const float* quern_context_last_logits(const quern_context* context) {
  if (!context || context->context->n_logits() == 0) return nullptr;
  return context->context->last_logits().data();
}

uint32_t quern_context_sequence_length(const quern_context* context, int32_t sequence) {
  return context ? context->context->sequence_length(sequence) : 0;
}

int32_t quern_context_next_position(const quern_context* context, int32_t sequence) {
  return context ? context->context->next_position(sequence) : 0;
}

quern_status quern_context_sequence_tokens(const quern_context* context, int32_t sequence, quern_token* buffer,
                                           size_t capacity, size_t* needed) {
  QUERN_C_NEED(context);
  return guard([&] {
    const auto tokens = context->context->sequence_tokens(sequence);
    return write_array(tokens.data(), tokens.size(), buffer, capacity, needed);
  });
}

quern_status quern_context_sequence_remove(quern_context* context, int32_t sequence, int32_t from, int32_t to) {
  QUERN_C_NEED(context);
  return guard([&] { return finish(context->context->sequence_remove(sequence, from, to)); });
}

quern_status quern_context_sequence_rewind(quern_context* context, int32_t sequence, int32_t position,
                                           int32_t* reached) {
  QUERN_C_NEED(context);
  QUERN_C_NEED(reached);
  return guard([&] {
    const auto result = context->context->sequence_rewind(sequence, position);
    if (!result) return refuse(result.error());
    *reached = *result;
    return QUERN_OK;
  });
}

quern_status quern_context_sequence_keep(quern_context* context, int32_t sequence) {
  QUERN_C_NEED(context);
  return guard([&] { return finish(context->context->sequence_keep(sequence)); });
}

quern_status quern_context_sequence_fork(quern_context* context, int32_t from, int32_t to) {
  QUERN_C_NEED(context);
  return guard([&] { return finish(context->context->sequence_fork(from, to)); });
}

void quern_context_clear(quern_context* context) {
  if (context) context->context->clear();
}

quern_status quern_context_sequence_save(const quern_context* context, int32_t sequence, void* buffer, size_t capacity,
                                         size_t* needed) {
  QUERN_C_NEED(context);
  QUERN_C_NEED(needed);
  *needed = 0;
  return guard([&] {
    const auto state = context->context->sequence_save(sequence);
    if (!state) return refuse(state.error());
    return write_array(state->data(), state->size(), static_cast<std::byte*>(buffer), capacity, needed);
  });
}

quern_status quern_context_sequence_restore(quern_context* context, int32_t sequence, const void* state, size_t size) {
  QUERN_C_NEED(context);
  return guard([&] {
    QUERN_C_CHECK(check_array(state, size, "state"));
    return finish(context->context->sequence_restore(sequence, {static_cast<const std::byte*>(state), size}));
  });
}

uint32_t quern_context_n_ctx(const quern_context* context) { return context ? context->context->n_ctx() : 0; }

uint32_t quern_context_n_used(const quern_context* context) { return context ? context->context->n_used() : 0; }

uint64_t quern_context_cache_bytes(const quern_context* context) {
  return context ? context->context->cache_bytes() : 0;
}

}  // extern "C"
