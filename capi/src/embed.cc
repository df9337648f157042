// Embeddings.
#include "capi/src/door.h"

using namespace quern::capi;

namespace {

quern_status read_embed_options(const quern_embed_options* given, quern::EmbedOptions& out) {
  quern_embed_options o = QUERN_EMBED_OPTIONS_INIT;
  QUERN_C_CHECK(read_options(given, o, "quern_embed_options"));
  out.progress = progress_of(o.progress, o.progress_user);
  out.cancel = cancel_of(o.cancel);
  return QUERN_OK;
}

/// Embeds texts of either kind.
template <class Texts>
quern_status embed(quern_embedder& embedder, const Texts& texts, const quern_embed_options* options) {
  embedder.results.clear();
  quern::EmbedOptions wanted;
  QUERN_C_CHECK(read_embed_options(options, wanted));
  auto results = embedder.embedder.embed(texts, wanted);
  if (!results) return refuse(results.error());
  embedder.results = std::move(*results);
  return QUERN_OK;
}

/// The vectors of one text, or nothing.
const float* vectors_of(const std::vector<quern::Embedding>* results, size_t index, size_t* n_rows, size_t* n_tokens) {
  const quern::Embedding* const one = results && index < results->size() ? &(*results)[index] : nullptr;
  if (n_rows) *n_rows = one ? one->n_rows : 0;
  if (n_tokens) *n_tokens = one ? one->n_tokens : 0;
  return one ? one->values.data() : nullptr;
}

}  // namespace

extern "C" {

quern_status quern_embedder_create(const quern_model* model, const quern_embedder_options* options,
                                   quern_embedder** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(model);
  return guard([&] {
    quern_embedder_options o = QUERN_EMBEDDER_OPTIONS_INIT;
    QUERN_C_CHECK(read_options(options, o, "quern_embedder_options", offsetof(quern_embedder_options, adapters)));
    quern::EmbedderOptions wanted{static_cast<quern::Pooling>(o.pooling), o.normalize, o.n_batch, {}};
    QUERN_C_CHECK(read_adapters(o.adapters, o.n_adapters, wanted.adapters));
    auto embedder = quern::Embedder::create(model->model, wanted);
    if (!embedder) return refuse(embedder.error());
    *out = new quern_embedder{std::move(*embedder), {}};
    return QUERN_OK;
  });
}

void quern_embedder_close(quern_embedder* embedder) { delete embedder; }

int32_t quern_embedder_pooling(const quern_embedder* embedder) {
  return embedder ? static_cast<int32_t>(embedder->embedder.pooling()) : QUERN_POOLING_NONE;
}

size_t quern_embedder_n_embd(const quern_embedder* embedder) { return embedder ? embedder->embedder.n_embd() : 0; }

uint32_t quern_embedder_n_batch(const quern_embedder* embedder) { return embedder ? embedder->embedder.n_batch() : 0; }

quern_status quern_embedder_embed(quern_embedder* embedder, const char* const* texts, const size_t* sizes,
                                  size_t n_texts, const quern_embed_options* options) {
  QUERN_C_NEED(embedder);
  return guard([&] {
    QUERN_C_CHECK(check_array(texts, n_texts, "texts"));
    std::vector<std::string> all(n_texts);
    for (size_t i = 0; i < n_texts; ++i) {
      std::string_view text;
      QUERN_C_CHECK(read_text(texts[i], sizes ? sizes[i] : QUERN_NUL_TERMINATED, "a text", text));
      all[i] = text;
    }
    return embed(*embedder, all, options);
  });
}

quern_status quern_embedder_embed_tokens(quern_embedder* embedder, const quern_token* tokens, const size_t* lengths,
                                         size_t n_texts, const quern_embed_options* options) {
  QUERN_C_NEED(embedder);
  return guard([&] {
    QUERN_C_CHECK(check_array(lengths, n_texts, "lengths"));
    std::vector<std::vector<quern::Token>> all(n_texts);
    for (size_t i = 0; i < n_texts; ++i) {
      QUERN_C_CHECK(check_array(tokens, lengths[i], "tokens"));
      if (lengths[i] == 0) continue;
      all[i].assign(tokens, tokens + lengths[i]);
      tokens += lengths[i];
    }
    return embed(*embedder, all, options);
  });
}

const float* quern_embedder_get(const quern_embedder* embedder, size_t index, size_t* n_rows, size_t* n_tokens) {
  return vectors_of(embedder ? &embedder->results : nullptr, index, n_rows, n_tokens);
}

size_t quern_embedder_n_texts(const quern_embedder* embedder) { return embedder ? embedder->results.size() : 0; }

quern_status quern_embedder_take(quern_embedder* embedder, quern_embeddings** out) {
  QUERN_C_NEED(out);
  *out = nullptr;
  QUERN_C_NEED(embedder);
  return guard([&] {
    auto taken = std::make_unique<quern_embeddings>();
    taken->results.swap(embedder->results);
    taken->n_embd = embedder->embedder.n_embd();
    *out = taken.release();
    return QUERN_OK;
  });
}

const float* quern_embeddings_get(const quern_embeddings* embeddings, size_t index, size_t* n_rows, size_t* n_tokens) {
  return vectors_of(embeddings ? &embeddings->results : nullptr, index, n_rows, n_tokens);
}

size_t quern_embeddings_n_texts(const quern_embeddings* embeddings) {
  return embeddings ? embeddings->results.size() : 0;
}

size_t quern_embeddings_n_embd(const quern_embeddings* embeddings) { return embeddings ? embeddings->n_embd : 0; }

void quern_embeddings_close(quern_embeddings* embeddings) { delete embeddings; }

double quern_cosine_similarity(const float* a, const float* b, size_t n) {
  return a && b ? quern::cosine_similarity({a, n}, {b, n}) : 0;
}

}  // extern "C"
