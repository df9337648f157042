/* A program of the first day: it knows nothing but the first quern_c.h, which lies beside it, and is linked with today's
 * library. Uses every struct of that header and its initial values.
 *
 * usage: first_client MODEL.gguf
 */
#include "quern_c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(QUERN_CACHE_Q8_0) || defined(QUERN_FOOTPRINT_INIT)
#error "this is not the first header"
#endif

static int n_failures = 0, n_checks = 0;

static void check(int condition, const char* text, int line) {
  ++n_checks;
  if (condition) return;
  ++n_failures;
  printf("line %d: failed: %s (last error: %s)\n", line, text, quern_last_error_message());
}
#define CHECK(condition) check((condition) ? 1 : 0, #condition, __LINE__)

static int count(void* user, const char* stage, uint64_t done, uint64_t total) {
  ++*(int*)user;
  return stage == NULL || (total != 0 && done > total);
}

static void on_log(void* user, int32_t level, const char* message) { *(int*)user += level >= 0 && message != NULL; }

struct text {
  char bytes[256];
  size_t size;
};

static int on_token(void* user, quern_token token, const char* bytes, size_t size) {
  struct text* text = user;
  (void)token;
  if (text->size + size >= sizeof text->bytes) return 1;
  memcpy(text->bytes + text->size, bytes, size);
  text->size += size;
  return 0;
}

static quern_model* open_model(const char* path, int* n_messages) {
  quern_runtime_options runtime_options = QUERN_RUNTIME_OPTIONS_INIT;
  quern_model_options options = QUERN_MODEL_OPTIONS_INIT;
  struct {
    quern_model_info info;
    char after[64]; /* the library knows a longer struct by now, and must not write here */
  } guarded;
  quern_model_info initial = QUERN_MODEL_INFO_INIT;
  quern_tensor_info tensor = QUERN_TENSOR_INFO_INIT;
  quern_runtime* runtime = NULL;
  quern_model* model = NULL;
  int n_reports = 0, i;
  runtime_options.n_threads = 2;
  runtime_options.log = on_log;
  runtime_options.log_user = n_messages;
  CHECK(quern_runtime_create(&runtime_options, &runtime) == QUERN_OK && quern_runtime_n_threads(runtime) == 2);
  options.runtime = runtime;
  options.progress = count;
  options.progress_user = &n_reports;
  CHECK(quern_model_open(path, &options, &model) == QUERN_OK && n_reports > 0);
  if (model == NULL) exit(1);
  quern_runtime_close(runtime);

  memset(&guarded, 0x5a, sizeof guarded);
  guarded.info = initial;
  CHECK(quern_model_get_info(model, &guarded.info) == QUERN_OK && guarded.info.n_vocab == 4096);
  for (i = 0; i < 64; ++i) CHECK(guarded.after[i] == 0x5a);
  CHECK(quern_model_get_tensor(model, 0, &tensor) == QUERN_OK && tensor.n_dims >= 1 && tensor.size_bytes > 0);
  return model;
}

static void use_context(const quern_model* model) {
  quern_context_options options = QUERN_CONTEXT_OPTIONS_INIT;
  quern_decode_options decode = QUERN_DECODE_OPTIONS_INIT;
  quern_sampler_options sampler_options = QUERN_SAMPLER_OPTIONS_INIT;
  const quern_batch_token batch[] = {{1, 0, 0, 0}, {300, 1, 0, 1}};
  quern_token_probability candidates[4];
  quern_logit_bias bias = {300, -1.0f};
  quern_context* context = NULL;
  quern_sampler* sampler = NULL;
  quern_token token = -1;
  size_t n = 0;
  int n_reports = 0;
  options.n_ctx = 64;
  options.type_k = options.type_v = QUERN_CACHE_F32;
  CHECK(quern_context_create(model, &options, &context) == QUERN_OK);
  decode.progress = count;
  decode.progress_user = &n_reports;
  CHECK(quern_context_decode(context, batch, 2, &decode) == QUERN_OK && n_reports > 0);
  sampler_options.temperature = 0;
  sampler_options.logit_bias = &bias;
  sampler_options.n_logit_bias = 1;
  CHECK(quern_sampler_create(model, &sampler_options, &sampler) == QUERN_OK);
  CHECK(quern_sampler_sample(sampler, quern_context_last_logits(context), 4096, &token) == QUERN_OK && token >= 0);
  CHECK(quern_sampler_candidates(sampler, candidates, 4, &n) == QUERN_OK && n > 0 && candidates[0].token == token);
  quern_sampler_close(sampler);
  quern_context_close(context);
}

static void use_chat(const quern_model* model) {
  quern_sampler_options sampler = QUERN_SAMPLER_OPTIONS_INIT;
  quern_generate_options options = QUERN_GENERATE_OPTIONS_INIT;
  quern_template_options template_options = QUERN_TEMPLATE_OPTIONS_INIT;
  quern_timings timings = QUERN_TIMINGS_INIT;
  const quern_chat_message message = {"user", "Hello!", QUERN_NUL_TERMINATED};
  quern_chat_message said;
  quern_chat_template* chat_template = NULL;
  quern_generation* answer = NULL;
  quern_chat* chat = NULL;
  struct text text = {"", 0};
  size_t needed = 0;
  CHECK(quern_chat_template_from_model(model, &chat_template) == QUERN_OK);
  CHECK(quern_chat_template_render(chat_template, &message, 1, &template_options, NULL, 0, &needed) ==
            QUERN_ERROR_BUFFER_TOO_SMALL &&
        needed > 10);
  quern_chat_template_close(chat_template);

  sampler.temperature = 0;
  options.sampler = &sampler;
  options.on_token = on_token;
  options.on_token_user = &text;
  CHECK(quern_chat_create(model, NULL, NULL, 0, &chat) == QUERN_OK);
  CHECK(quern_chat_send(chat, "What is the capital of France?", QUERN_NUL_TERMINATED, &options, &answer) == QUERN_OK);
  CHECK(strcmp(quern_generation_text(answer, NULL), "The capital of France is Paris.") == 0);
  CHECK(strcmp(text.bytes, "The capital of France is Paris.") == 0);
  CHECK(quern_generation_get_timings(answer, &timings) == QUERN_OK && timings.n_generated > 3);
  CHECK(quern_generation_stop_reason(answer) == QUERN_STOP_END_OF_GENERATION);
  CHECK(quern_chat_get_message(chat, 0, &said) == QUERN_OK && strcmp(said.role, "user") == 0);
  quern_generation_close(answer);
  quern_chat_close(chat);
}

static void use_perplexity(const quern_model* model) {
  quern_perplexity_options options = QUERN_PERPLEXITY_OPTIONS_INIT;
  quern_perplexity_result result = QUERN_PERPLEXITY_RESULT_INIT;
  quern_token tokens[16];
  size_t n = 0;
  CHECK(quern_tokenize(model, "The old house stood near the river, and nobody", QUERN_NUL_TERMINATED,
                       QUERN_TOKENIZE_ADD_SPECIAL, tokens, 16, &n) == QUERN_OK);
  options.n_ctx = 8;
  CHECK(quern_perplexity(model, tokens, n, &options, &result) == QUERN_OK && result.ppl > 1 && result.n_windows == 1);
}

int main(int argc, char** argv) {
  int n_messages = 0;
  quern_model* model;
  if (argc != 2) return 2;
  CHECK(quern_abi_version() == QUERN_C_ABI_VERSION);
  model = open_model(argv[1], &n_messages);
  use_context(model);
  use_chat(model);
  use_perplexity(model);
  quern_model_close(model);
  printf("%d checks, %d failures\n", n_checks, n_failures);
  return n_failures == 0 ? 0 : 1;
}
