/* What quern_c_adapter.h declares, with an adapter of rank 1 that is written here. */
#include <stdio.h>
#include <string.h>

#include "client.h"

static const char* kPath = "client_test_adapter.gguf";

static void put_u32(FILE* file, uint32_t x) { fwrite(&x, sizeof x, 1, file); }
static void put_u64(FILE* file, uint64_t x) { fwrite(&x, sizeof x, 1, file); }
static void put_text(FILE* file, const char* text) {
  put_u64(file, strlen(text));
  fwrite(text, 1, strlen(text), file);
}
static void put_key(FILE* file, const char* key, const char* value) {
  put_text(file, key);
  put_u32(file, 8); /* a string */
  put_text(file, value);
}

/* For blk.0.attn_output.weight [cols, rows], whose every output gets the sum of the inputs times `value`. */
static void write_adapter(uint64_t cols, uint64_t rows, float value) {
  FILE* file = fopen(kPath, "wb");
  const uint64_t a_bytes = (cols * 4 + 31) / 32 * 32, b_bytes = (rows * 4 + 31) / 32 * 32;
  const float one = 1;
  uint64_t i;
  CHECK(file != NULL);
  if (file == NULL) return;
  fwrite("GGUF", 1, 4, file);
  put_u32(file, 3);
  put_u64(file, 2); /* tensors */
  put_u64(file, 4); /* keys */
  put_key(file, "general.type", "adapter");
  put_key(file, "general.name", "sums");
  put_key(file, "adapter.type", "lora");
  put_text(file, "adapter.lora.alpha");
  put_u32(file, 6); /* a float */
  fwrite(&one, sizeof one, 1, file);
  put_text(file, "blk.0.attn_output.weight.lora_a");
  put_u32(file, 2);
  put_u64(file, cols);
  put_u64(file, 1);
  put_u32(file, 0);
  put_u64(file, 0);
  put_text(file, "blk.0.attn_output.weight.lora_b");
  put_u32(file, 2);
  put_u64(file, 1);
  put_u64(file, rows);
  put_u32(file, 0);
  put_u64(file, a_bytes);
  while (ftell(file) % 32 != 0) fputc(0, file);
  for (i = 0; i < a_bytes / 4; ++i) fwrite(&value, sizeof value, 1, file);
  for (i = 0; i < b_bytes / 4; ++i) fwrite(&one, sizeof one, 1, file);
  CHECK(fclose(file) == 0);
}

static void find_shape(const quern_model* model, uint64_t* cols, uint64_t* rows) {
  size_t i;
  for (i = 0; i < quern_model_n_tensors(model); ++i) {
    quern_tensor_info info = QUERN_TENSOR_INFO_INIT;
    CHECK(quern_model_get_tensor(model, i, &info) == QUERN_OK);
    if (strcmp(info.name, "blk.0.attn_output.weight") != 0) continue;
    *cols = info.shape[0];
    *rows = info.shape[1];
  }
}

/* The first logit behind four tokens. */
static float first_logit(quern_context* context, int32_t sequence) {
  const quern_token tokens[] = {5, 6, 7, 8};
  CHECK(quern_context_append(context, tokens, 4, sequence, 0, NULL) == QUERN_OK);
  return quern_context_last_logits(context)[0];
}

static void test_refusals(const quern_model* model, quern_adapter* adapter, quern_context* context) {
  quern_adapter_info info = QUERN_ADAPTER_INFO_INIT;
  quern_adapter_use use = {NULL, 1.0f, 0};
  quern_adapter* other = adapter;
  CHECK(quern_adapter_open(NULL, kPath, &other) == QUERN_ERROR_ARGUMENT && other == NULL);
  CHECK(quern_adapter_open(model, NULL, &other) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_adapter_open(model, kPath, NULL) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_adapter_open(model, "nowhere.gguf", &other) == QUERN_ERROR_NOT_FOUND && message_has("nowhere.gguf"));
  CHECK(quern_adapter_get_info(NULL, &info) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_adapter_get_info(adapter, NULL) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_context_set_adapters(NULL, 0, NULL, 0) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_context_set_adapters(context, 0, NULL, 1) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_context_set_adapters(context, 0, &use, 1) == QUERN_ERROR_ARGUMENT && message_has("adapters[0]"));
  use.adapter = adapter;
  CHECK(quern_context_set_adapters(context, 9, &use, 1) == QUERN_ERROR_ARGUMENT);
  use.reserved = 1;
  CHECK(quern_context_set_adapters(context, 0, &use, 1) == QUERN_ERROR_UNSUPPORTED);
  CHECK(quern_context_n_adapters(NULL, 0) == 0 && quern_context_n_adapters(context, 9) == 0);
  quern_adapter_close(NULL);
  write_adapter(7, 5, 1);
  CHECK(quern_adapter_open(model, kPath, &other) == QUERN_ERROR_ARGUMENT && message_has("blk.0.attn_output.weight"));
  CHECK(message_has("[7, 1]"));
}

static void test_options(const quern_model* model, quern_context* context, const quern_adapter_use* use) {
  const quern_token prompt[] = {5, 6, 7, 8};
  quern_generate_options generate = QUERN_GENERATE_OPTIONS_INIT;
  quern_embedder_options embed = QUERN_EMBEDDER_OPTIONS_INIT;
  quern_generation* generation = NULL;
  quern_embedder* embedder = NULL;
  generate.max_tokens = 1;
  generate.adapters = use;
  CHECK(quern_generate(context, prompt, 4, &generate, &generation) == QUERN_OK);
  CHECK(quern_context_n_adapters(context, 0) == 0);
  quern_generation_close(generation);
  generate.n_adapters = 1;
  CHECK(quern_generate(context, prompt, 4, &generate, &generation) == QUERN_OK);
  CHECK(quern_context_n_adapters(context, 0) == 1);
  quern_generation_close(generation);
  generate.adapters = NULL;
  CHECK(quern_generate(context, prompt, 4, &generate, &generation) == QUERN_ERROR_ARGUMENT && message_has("adapters"));
  embed.n_adapters = 1;
  CHECK(quern_embedder_create(model, &embed, &embedder) == QUERN_ERROR_ARGUMENT && message_has("adapters"));
  embed.adapters = use;
  CHECK(quern_embedder_create(model, &embed, &embedder) == QUERN_OK);
  quern_embedder_close(embedder);
}

void test_adapter(const quern_model* model) {
  quern_adapter_info info = QUERN_ADAPTER_INFO_INIT;
  quern_context_options options = QUERN_CONTEXT_OPTIONS_INIT;
  quern_adapter_use use = {NULL, 1.0f, 0};
  quern_adapter* adapter = NULL;
  quern_context* context = NULL;
  uint64_t cols = 0, rows = 0;
  float plain, changed;

  find_shape(model, &cols, &rows);
  write_adapter(cols, rows, 0.125f);
  CHECK(quern_adapter_open(model, kPath, &adapter) == QUERN_OK);
  CHECK(quern_adapter_get_info(adapter, &info) == QUERN_OK);
  CHECK(strcmp(info.path, kPath) == 0 && strcmp(info.name, "sums") == 0);
  CHECK(info.rank == 1 && info.alpha == 1 && info.n_weights == 1 && info.size_bytes >= (cols + rows) * 4);

  options.n_ctx = 64;
  options.n_seq_max = 3;
  CHECK(quern_context_create(model, &options, &context) == QUERN_OK);
  use.adapter = adapter;
  CHECK(quern_context_set_adapters(context, 1, &use, 1) == QUERN_OK);
  use.scale = 0.5f;
  CHECK(quern_context_set_adapters(context, 2, &use, 1) == QUERN_OK);
  CHECK(quern_context_n_adapters(context, 0) == 0 && quern_context_n_adapters(context, 1) == 1);
  plain = first_logit(context, 0);
  changed = first_logit(context, 1);
  CHECK(plain != changed);
  CHECK(first_logit(context, 2) != plain);
  CHECK(quern_context_set_adapters(context, 1, NULL, 0) == QUERN_ERROR_ARGUMENT && message_has("has 4 tokens"));
  quern_context_clear(context);
  CHECK(quern_context_set_adapters(context, 1, NULL, 0) == QUERN_OK);
  CHECK(first_logit(context, 1) == plain);

  test_options(model, context, &use);
  test_refusals(model, adapter, context);
  quern_adapter_close(adapter); /* the context has what it needs */
  CHECK(first_logit(context, 2) != plain);
  quern_context_close(context);
  CHECK(remove(kPath) == 0);
}
