/* Quern's C interface to embeddings: texts to vectors whose directions tell how near the texts are in meaning.
 * A part of quern_c.h, which includes it; the conventions told there hold here.
 */
#ifndef QUERN_C_EMBED_H
#define QUERN_C_EMBED_H

#include "quern_c.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the vectors of a text's tokens become the text's. */
#define QUERN_POOLING_FROM_MODEL ((int32_t)-1) /* what the file says; none where it says nothing */
#define QUERN_POOLING_NONE 0                   /* they stay one per token */
#define QUERN_POOLING_MEAN 1
#define QUERN_POOLING_CLS 2 /* the first token's */
#define QUERN_POOLING_LAST 3

typedef struct quern_embedder_options {
  size_t struct_size;
  int32_t pooling;   /* QUERN_POOLING_... */
  int32_t normalize; /* a vector is divided by: -1 nothing, 0 its largest magnitude, to 32760, 1 the sum of its
                        magnitudes, 2 its Euclidean length, p > 2 its p-norm */
  uint32_t n_batch;  /* tokens of one pass, and so of the longest text. 0: the model's training context */
  int32_t reserved;  /* 0 */
  const struct quern_adapter_use* adapters; /* what the model is run with (quern_c_adapter.h) */
  size_t n_adapters;
} quern_embedder_options;
#define QUERN_EMBEDDER_OPTIONS_INIT \
  { sizeof(quern_embedder_options), QUERN_POOLING_FROM_MODEL, 2, 0, 0, NULL, 0 }

typedef struct quern_embed_options {
  size_t struct_size;
  quern_progress_fn progress; /* stage "embed", in tokens, after each pass */
  void* progress_user;
  const quern_cancel_token* cancel; /* looked at once per layer at least */
} quern_embed_options;
#define QUERN_EMBED_OPTIONS_INIT \
  { sizeof(quern_embed_options), NULL, NULL, NULL }

/* Makes embeddings: with encoders (BERT, EmbeddingGemma, ...), or of what a language model's last layer holds. A text's
 * vector does not depend on the texts beside it, nor on threads, to the bit. */
typedef struct quern_embedder quern_embedder;
QUERN_API quern_status quern_embedder_create(const quern_model* model, const quern_embedder_options* options,
                                             quern_embedder** out);
QUERN_API void quern_embedder_close(quern_embedder* embedder);
/* What pooling it does, the length of a vector, and the tokens of the longest text. */
QUERN_API int32_t quern_embedder_pooling(const quern_embedder* embedder);
QUERN_API size_t quern_embedder_n_embd(const quern_embedder* embedder);
QUERN_API uint32_t quern_embedder_n_batch(const quern_embedder* embedder);

/* Embeds texts; `sizes` may be NULL where all are zero-terminated. The tokens that the model wants around a text are
 * added; control tokens written out in it are read as such. QUERN_ERROR_ARGUMENT for a text without tokens, or with
 * more than quern_embedder_n_batch(). The results are kept until the next embedding; after an error there are none. */
QUERN_API quern_status quern_embedder_embed(quern_embedder* embedder, const char* const* texts, const size_t* sizes,
                                            size_t n_texts, const quern_embed_options* options);
/* The same for tokens, those of one text behind those of the other: lengths[i] of the i-th. Taken as they are. */
QUERN_API quern_status quern_embedder_embed_tokens(quern_embedder* embedder, const quern_token* tokens,
                                                   const size_t* lengths, size_t n_texts,
                                                   const quern_embed_options* options);
/* The vectors [n_rows, quern_embedder_n_embd] of the i-th text: one, or one per token without pooling. NULL for a text
 * that there is not. `n_rows` and `n_tokens` may be NULL. Valid until the next embedding. */
QUERN_API const float* quern_embedder_get(const quern_embedder* embedder, size_t index, size_t* n_rows,
                                          size_t* n_tokens);
QUERN_API size_t quern_embedder_n_texts(const quern_embedder* embedder);

/* Vectors that stay as they are when the embedder embeds again, or is closed. May be read from any thread. */
typedef struct quern_embeddings quern_embeddings;
/* The results of the last embedding, not copied: the embedder has none then. */
QUERN_API quern_status quern_embedder_take(quern_embedder* embedder, quern_embeddings** out);
/* As quern_embedder_get(), quern_embedder_n_texts(), quern_embedder_n_embd(). */
QUERN_API const float* quern_embeddings_get(const quern_embeddings* embeddings, size_t index, size_t* n_rows,
                                            size_t* n_tokens);
QUERN_API size_t quern_embeddings_n_texts(const quern_embeddings* embeddings);
QUERN_API size_t quern_embeddings_n_embd(const quern_embeddings* embeddings);
QUERN_API void quern_embeddings_close(quern_embeddings* embeddings);

/* The cosine of the angle between two vectors of n elements; 0 where one of them is zero or NULL. */
QUERN_API double quern_cosine_similarity(const float* a, const float* b, size_t n);

#ifdef __cplusplus
}
#endif

#endif
