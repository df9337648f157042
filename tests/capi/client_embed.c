/* What quern_c_embed.h declares. The model is a language model, whose last layer's states serve as embeddings. */
#include <math.h>
#include <string.h>

#include "client.h"

static double length_of(const float* x, size_t n) {
  double sum = 0;
  size_t i;
  for (i = 0; i < n; ++i) sum += (double)x[i] * x[i];
  return sqrt(sum);
}

static void test_refusals(const quern_model* model, quern_embedder* embedder) {
  quern_embedder_options options = QUERN_EMBEDDER_OPTIONS_INIT;
  quern_embed_options call = QUERN_EMBED_OPTIONS_INIT;
  const char* texts[] = {"one", NULL};
  const size_t lengths[] = {2}, none[] = {0}, sizes[] = {3, 1};
  const quern_token tokens[] = {5, -1};
  quern_embedder* other = embedder;

  CHECK(quern_embedder_create(NULL, NULL, &other) == QUERN_ERROR_ARGUMENT && other == NULL);
  CHECK(quern_embedder_create(model, NULL, NULL) == QUERN_ERROR_ARGUMENT);
  options.pooling = 4;
  CHECK(quern_embedder_create(model, &options, &other) == QUERN_ERROR_UNSUPPORTED && message_has("rank"));
  options.pooling = 9;
  CHECK(quern_embedder_create(model, &options, &other) == QUERN_ERROR_ARGUMENT && message_has("pooling"));
  options.pooling = QUERN_POOLING_MEAN;
  options.normalize = -5;
  CHECK(quern_embedder_create(model, &options, &other) == QUERN_ERROR_ARGUMENT && message_has("normalize"));
  options.struct_size = 4;
  CHECK(quern_embedder_create(model, &options, &other) == QUERN_ERROR_ARGUMENT && message_has("struct_size"));

  CHECK(quern_embedder_embed(NULL, texts, NULL, 1, NULL) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_embedder_embed(embedder, NULL, NULL, 1, NULL) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_embedder_embed(embedder, texts, sizes, 2, NULL) == QUERN_ERROR_ARGUMENT && message_has("NULL"));
  CHECK(quern_embedder_embed_tokens(embedder, NULL, lengths, 1, NULL) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_embedder_embed_tokens(embedder, tokens, lengths, 1, NULL) == QUERN_ERROR_ARGUMENT);
  CHECK(message_has("token -1"));
  CHECK(quern_embedder_embed_tokens(embedder, tokens, none, 1, NULL) == QUERN_ERROR_ARGUMENT);
  call.progress = stop_progress;
  CHECK(quern_embedder_embed(embedder, texts, NULL, 1, &call) == QUERN_ERROR_CANCELLED);
  CHECK(quern_embedder_n_texts(embedder) == 0 && quern_embedder_get(embedder, 0, NULL, NULL) == NULL);

  quern_embedder_close(NULL);
  CHECK(quern_embedder_pooling(NULL) == QUERN_POOLING_NONE && quern_embedder_n_embd(NULL) == 0);
  CHECK(quern_embedder_n_batch(NULL) == 0 && quern_embedder_n_texts(NULL) == 0);
  CHECK(quern_embedder_get(NULL, 0, NULL, NULL) == NULL);
  CHECK(quern_cosine_similarity(NULL, NULL, 3) == 0);
}

void test_embed(const quern_model* model) {
  quern_embedder_options options = QUERN_EMBEDDER_OPTIONS_INIT;
  quern_embedder* embedder = NULL;
  const char* texts[] = {"The old house stood near the river.", "A house by a river.", "Two plus two is four."};
  const size_t first_words[] = {13, 7, 3};
  quern_token tokens[64];
  size_t n_embd, n_rows = 0, n_tokens = 0, n = 0;
  double whole;

  options.pooling = QUERN_POOLING_MEAN;
  options.n_batch = 64;
  CHECK(quern_embedder_create(model, &options, &embedder) == QUERN_OK);
  CHECK(quern_embedder_pooling(embedder) == QUERN_POOLING_MEAN && quern_embedder_n_batch(embedder) == 64);
  n_embd = quern_embedder_n_embd(embedder);
  CHECK(n_embd > 0);
  CHECK(quern_embedder_embed(embedder, texts, NULL, 3, NULL) == QUERN_OK);
  CHECK(quern_embedder_n_texts(embedder) == 3);
  CHECK(quern_embedder_get(embedder, 3, &n_rows, &n_tokens) == NULL && n_rows == 0 && n_tokens == 0);
  CHECK(quern_embedder_get(embedder, 1, &n_rows, &n_tokens) != NULL && n_rows == 1 && n_tokens > 1);
  CHECK(fabs(length_of(quern_embedder_get(embedder, 1, NULL, NULL), n_embd) - 1) < 1e-5);
  whole = quern_embedder_get(embedder, 0, NULL, NULL)[0];
  CHECK(fabs(quern_cosine_similarity(quern_embedder_get(embedder, 0, NULL, NULL),
                                     quern_embedder_get(embedder, 0, NULL, NULL), n_embd) -
             1) < 1e-9);

  CHECK(quern_tokenize(model, texts[0], QUERN_NUL_TERMINATED, QUERN_TOKENIZE_ADD_SPECIAL, tokens, 64, &n) == QUERN_OK);
  CHECK(quern_embedder_embed_tokens(embedder, tokens, &n, 1, NULL) == QUERN_OK);
  CHECK(quern_embedder_get(embedder, 0, NULL, &n_tokens) != NULL && n_tokens == n);
  CHECK(quern_embedder_get(embedder, 0, NULL, NULL)[0] == whole); /* the tokens of the text, in another batch */
  CHECK(quern_embedder_embed(embedder, texts, first_words, 3, NULL) == QUERN_OK);
  CHECK(quern_embedder_get(embedder, 0, NULL, NULL)[0] != whole);
  test_refusals(model, embedder);
  quern_embedder_close(embedder);

  options.pooling = QUERN_POOLING_NONE;
  CHECK(quern_embedder_create(model, &options, &embedder) == QUERN_OK);
  CHECK(quern_embedder_embed_tokens(embedder, tokens, &n, 1, NULL) == QUERN_OK);
  CHECK(quern_embedder_get(embedder, 0, &n_rows, NULL) != NULL && n_rows == n);
  quern_embedder_close(embedder);
}
