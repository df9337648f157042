/* A C99 program over quern_c.h: uses every function, and looks at what comes back, errors included.
 * client_convert.c and client_embed.c have what the headers of these names declare.
 *
 * usage: client MODEL.gguf
 */
#include "client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int n_checks = 0, n_failures = 0;

void check(int condition, const char* text, const char* file, int line) {
  ++n_checks;
  if (condition) return;
  ++n_failures;
  printf("%s:%d: failed: %s (last error: %s)\n", file, line, text, quern_last_error_message());
}

int message_has(const char* text) { return strstr(quern_last_error_message(), text) != NULL; }

/* ---- version, status, cancel ---- */

static void test_basics(void) {
  quern_cancel_token* token = NULL;
  CHECK(quern_abi_version() == QUERN_C_ABI_VERSION);
  CHECK(strlen(quern_version()) >= 5);
  CHECK(strcmp(quern_status_name(QUERN_OK), "ok") == 0);
  CHECK(strcmp(quern_status_name(QUERN_ERROR_CONTEXT_FULL), "context_full") == 0);
  CHECK(quern_status_name(12345) != NULL);
  CHECK(quern_last_error_message() != NULL);
  CHECK(quern_cancel_token_create(&token) == QUERN_OK);
  CHECK(!quern_cancel_token_cancelled(token));
  quern_cancel_token_cancel(token);
  CHECK(quern_cancel_token_cancelled(token));
  quern_cancel_token_reset(token);
  CHECK(!quern_cancel_token_cancelled(token));
  quern_cancel_token_close(token);
  CHECK(quern_cancel_token_create(NULL) == QUERN_ERROR_ARGUMENT);
}

static void test_null_is_accepted(void) {
  quern_cancel_token_cancel(NULL);
  quern_cancel_token_reset(NULL);
  CHECK(quern_cancel_token_cancelled(NULL) == 0);
  quern_cancel_token_close(NULL);
  quern_runtime_close(NULL);
  quern_model_close(NULL);
  quern_text_stream_close(NULL);
  quern_chat_template_close(NULL);
  quern_context_close(NULL);
  quern_sampler_close(NULL);
  quern_generation_close(NULL);
  quern_chat_close(NULL);
  quern_imatrix_close(NULL);
  quern_quantize_result_close(NULL);
  CHECK(quern_quantize_result_file(NULL, 0) == NULL);
  CHECK(quern_runtime_n_threads(NULL) == 0);
  CHECK(quern_n_tokens(NULL) == 0);
  CHECK(quern_context_logits(NULL, 0) == NULL);
  CHECK(quern_generate(NULL, NULL, 0, NULL, NULL) == QUERN_ERROR_ARGUMENT);
}

/* ---- runtime ---- */

static void on_log(void* user, int32_t level, const char* message) {
  (void)level;
  if (message != NULL) ++*(int*)user;
}

/* What a later header could declare: the same struct with one more field. */
struct later_runtime_options {
  quern_runtime_options known;
  uint64_t appended;
};

static quern_runtime* test_runtime(int* n_messages) {
  quern_runtime_options options = QUERN_RUNTIME_OPTIONS_INIT;
  struct later_runtime_options later;
  quern_runtime* runtime = NULL;
  const int32_t nowhere = 1 << 20;
  double bandwidth = 1;
  options.n_threads = 2;
  options.log = on_log;
  options.log_user = n_messages;

  memset(&later, 0, sizeof later);
  later.known = options;
  later.known.struct_size = sizeof later;
  CHECK(quern_runtime_create(&later.known, &runtime) == QUERN_OK); /* a field not known here, but zero */
  quern_runtime_close(runtime);
  later.appended = 1;
  runtime = (quern_runtime*)&later;
  CHECK(quern_runtime_create(&later.known, &runtime) == QUERN_ERROR_UNSUPPORTED);
  CHECK(runtime == NULL);
  CHECK(message_has("quern_runtime_options"));

  options.struct_size = 4;
  CHECK(quern_runtime_create(&options, &runtime) == QUERN_ERROR_ARGUMENT);
  CHECK(message_has("struct_size"));
  options.struct_size = sizeof options;
  options.backend = "abacus";
  CHECK(quern_runtime_create(&options, &runtime) == QUERN_ERROR_ARGUMENT);
  CHECK(message_has("abacus"));
  options.backend = "cpu";
  options.processors = &nowhere;
  options.n_processors = 1;
  CHECK(quern_runtime_create(&options, &runtime) != QUERN_OK && runtime == NULL);
  options.processors = NULL;
  CHECK(quern_runtime_create(&options, &runtime) == QUERN_ERROR_ARGUMENT);
  options.struct_size = offsetof(quern_runtime_options, processors); /* the first version had no such fields */
  CHECK(quern_runtime_create(&options, &runtime) == QUERN_OK);
  quern_runtime_close(runtime);
  options.struct_size = sizeof options;
  options.n_processors = 0;
  CHECK(quern_runtime_create(&options, &runtime) == QUERN_OK);
  CHECK(quern_runtime_n_threads(runtime) == 2);
  CHECK(strncmp(quern_runtime_description(runtime), "cpu", 3) == 0);
  CHECK(quern_runtime_bind_this_thread(runtime) == QUERN_OK); /* nowhere in particular */
  CHECK(quern_runtime_measure_read_bandwidth(runtime, 8u << 20, &bandwidth) == QUERN_OK && bandwidth > 0);
  CHECK(quern_runtime_measure_read_bandwidth(runtime, 1, &bandwidth) == QUERN_ERROR_ARGUMENT && bandwidth == 0);
  CHECK(quern_runtime_measure_read_bandwidth(NULL, 0, &bandwidth) == QUERN_ERROR_ARGUMENT);
  return runtime;
}

/* ---- model ---- */

static int count_progress(void* user, const char* stage, uint64_t done, uint64_t total) {
  (void)total;
  if (strcmp(stage, "load") == 0 && done > 0) ++*(int*)user;
  return 0;
}

int stop_progress(void* user, const char* stage, uint64_t done, uint64_t total) {
  (void)user;
  (void)stage;
  (void)done;
  (void)total;
  return 1;
}

static quern_model* test_model(const char* path, const quern_runtime* runtime) {
  quern_model_options options = QUERN_MODEL_OPTIONS_INIT;
  quern_model_info info = QUERN_MODEL_INFO_INIT;
  quern_tensor_info tensor = QUERN_TENSOR_INFO_INIT;
  quern_model* model = NULL;
  int n_reports = 0;
  options.runtime = runtime;

  CHECK(quern_model_open("/no/such/file.gguf", &options, &model) == QUERN_ERROR_NOT_FOUND);
  CHECK(message_has("/no/such/file.gguf"));
  CHECK(quern_model_open(NULL, &options, &model) == QUERN_ERROR_ARGUMENT);
  options.progress = stop_progress;
  CHECK(quern_model_open(path, &options, &model) == QUERN_ERROR_CANCELLED);
  CHECK(model == NULL);
  options.progress = count_progress;
  options.progress_user = &n_reports;
  CHECK(quern_model_open(path, &options, &model) == QUERN_OK);
  CHECK(n_reports > 0);
  if (model == NULL) exit(1);

  CHECK(quern_model_get_info(model, &info) == QUERN_OK);
  CHECK(strcmp(info.path, path) == 0);
  CHECK(strcmp(info.architecture, "llama") == 0);
  CHECK(strcmp(info.file_type, "Q8_0") == 0);
  CHECK(info.n_parameters == 6819072 && info.n_vocab == 4096 && info.n_ctx_train == 512);
  CHECK(info.name != NULL && info.struct_size == sizeof info);
  info.struct_size = 8;
  CHECK(quern_model_get_info(model, &info) == QUERN_ERROR_ARGUMENT);

  CHECK(strstr(quern_model_chat_template(model), "im_start") != NULL);
  CHECK(quern_model_n_metadata(model) > 10);
  CHECK(quern_model_metadata_key(model, 0) != NULL && quern_model_metadata_value(model, 0) != NULL);
  CHECK(quern_model_metadata_key(model, 100000) == NULL && quern_model_metadata_value(model, 100000) == NULL);
  CHECK(strcmp(quern_model_metadata_find(model, "general.architecture"), "llama") == 0);
  CHECK(quern_model_metadata_find(model, "no.such.key") == NULL);

  CHECK(quern_model_n_tensors(model) > 50);
  CHECK(quern_model_get_tensor(model, 0, &tensor) == QUERN_OK);
  CHECK(tensor.name != NULL && tensor.type != NULL && tensor.n_dims >= 1 && tensor.shape[0] > 0 &&
        tensor.size_bytes > 0);
  CHECK(quern_model_get_tensor(model, 100000, &tensor) == QUERN_ERROR_ARGUMENT);
  return model;
}

/* ---- tokenizer ---- */

static void test_tokenizer(const quern_model* model) {
  static const char text[] = "Hello world";
  quern_token tokens[64];
  char buffer[64];
  const char* piece = NULL;
  char joined[64] = "";
  size_t n = 0, size = 0, needed = 0, i;
  quern_text_stream* stream = NULL;

  CHECK(quern_tokenize(model, text, QUERN_NUL_TERMINATED, QUERN_TOKENIZE_ADD_SPECIAL, NULL, 0, &n) ==
        QUERN_ERROR_BUFFER_TOO_SMALL);
  CHECK(n >= 3);
  CHECK(quern_tokenize(model, text, sizeof text - 1, QUERN_TOKENIZE_ADD_SPECIAL, tokens, 64, &needed) == QUERN_OK);
  CHECK(needed == n && tokens[0] == quern_token_bos(model));
  CHECK(quern_tokenize(model, text, QUERN_NUL_TERMINATED, 4u, tokens, 64, &needed) == QUERN_ERROR_UNSUPPORTED);
  CHECK(quern_tokenize(model, NULL, 0, 0, tokens, 64, &needed) == QUERN_OK && needed == 0);
  CHECK(quern_tokenize(model, NULL, 5, 0, tokens, 64, &needed) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_tokenize(model, text, QUERN_NUL_TERMINATED, 0, tokens, 64, NULL) == QUERN_ERROR_ARGUMENT);

  CHECK(quern_tokenize(model, text, QUERN_NUL_TERMINATED, 0, tokens, 64, &n) == QUERN_OK);
  CHECK(quern_detokenize(model, tokens, n, 0, buffer, sizeof buffer, &needed) == QUERN_OK);
  CHECK(strcmp(buffer, text) == 0 && needed == sizeof text);
  CHECK(quern_detokenize(model, tokens, n, 0, buffer, needed - 1, &needed) == QUERN_ERROR_BUFFER_TOO_SMALL);
  CHECK(quern_token_piece(model, tokens[0], 0, buffer, sizeof buffer, &needed) == QUERN_OK && needed > 1);
  CHECK(quern_token_piece(model, quern_token_bos(model), 1, buffer, sizeof buffer, &needed) == QUERN_OK);
  CHECK(strcmp(buffer, "<s>") == 0);

  CHECK(quern_n_tokens(model) == 4096);
  CHECK(quern_token_bos(model) == 1 && quern_token_eos(model) >= 0);
  CHECK(quern_adds_bos(model));
  CHECK(quern_token_is_end(model, quern_token_eos(model)) && !quern_token_is_end(model, tokens[0]));
  CHECK(quern_token_is_control(model, 1) && !quern_token_is_control(model, tokens[0]));
  CHECK(quern_token_find(model, "<|im_end|>", QUERN_NUL_TERMINATED) == 4);
  CHECK(quern_token_find(model, "no such token at all", QUERN_NUL_TERMINATED) == -1);

  CHECK(quern_text_stream_create(model, &stream) == QUERN_OK);
  for (i = 0; i < n; ++i) {
    CHECK(quern_text_stream_push(stream, tokens[i], &piece, &size) == QUERN_OK && strlen(piece) == size);
    strcat(joined, piece);
  }
  CHECK(quern_text_stream_finish(stream, &piece, &size) == QUERN_OK && size == 0);
  CHECK(strcmp(joined, " Hello world") == 0);
  quern_text_stream_close(stream);
}

/* ---- chat template ---- */

static void test_template(const quern_model* model) {
  quern_chat_message message = {"user", "Hello!", QUERN_NUL_TERMINATED};
  quern_template_options options = QUERN_TEMPLATE_OPTIONS_INIT;
  quern_chat_template* own = NULL;
  quern_chat_template* source = NULL;
  quern_token tokens[64];
  char buffer[256];
  size_t needed = 0;

  CHECK(quern_chat_template_from_model(model, &own) == QUERN_OK);
  CHECK(quern_chat_template_render(own, &message, 1, NULL, buffer, sizeof buffer, &needed) == QUERN_OK);
  CHECK(strstr(buffer, "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n") != NULL);
  CHECK(quern_chat_template_tokenize(own, &message, 1, NULL, tokens, 64, &needed) == QUERN_OK);
  CHECK(needed > 5 && tokens[0] == quern_token_bos(model) && tokens[1] == 3);
  options.no_generation_prompt = 1;
  CHECK(quern_chat_template_render(own, &message, 1, &options, buffer, sizeof buffer, &needed) == QUERN_OK);
  CHECK(strstr(buffer, "assistant") == NULL);

  CHECK(quern_chat_template_from_source(model, "{{ messages[0].content }}{{ x }}", QUERN_NUL_TERMINATED, &source) ==
        QUERN_OK);
  options.extra_json = "{\"x\": 7}";
  CHECK(quern_chat_template_render(source, &message, 1, &options, buffer, sizeof buffer, &needed) == QUERN_OK);
  CHECK(strcmp(buffer, "Hello!7") == 0);
  quern_chat_template_close(source);
  CHECK(quern_chat_template_from_source(model, "{% if %}", QUERN_NUL_TERMINATED, &source) == QUERN_ERROR_FORMAT);
  CHECK(source == NULL);
  message.role = NULL;
  CHECK(quern_chat_template_render(own, &message, 1, NULL, buffer, sizeof buffer, &needed) == QUERN_ERROR_ARGUMENT);
  quern_chat_template_close(own);
}

/* ---- context and sampler ---- */

static void test_sequences(const quern_model* model, quern_context* context) {
  const quern_token prompt[] = {1, 300, 301, 302};
  quern_token tokens[8];
  float* expected = malloc(4096 * sizeof(float));
  void* state = NULL;
  size_t needed = 0;
  int32_t reached = -1;
  (void)model;

  CHECK(quern_context_append(context, prompt, 4, 0, 1, NULL) == QUERN_OK);
  CHECK(quern_context_n_logits(context) == 4);
  CHECK(quern_context_logits(context, 3) == quern_context_last_logits(context));
  CHECK(quern_context_logits(context, 4) == NULL);
  memcpy(expected, quern_context_last_logits(context), 4096 * sizeof(float));
  CHECK(quern_context_sequence_length(context, 0) == 4 && quern_context_next_position(context, 0) == 4);
  CHECK(quern_context_sequence_tokens(context, 0, tokens, 8, &needed) == QUERN_OK && needed == 4 && tokens[3] == 302);

  CHECK(quern_context_sequence_fork(context, 0, 1) == QUERN_OK);
  CHECK(quern_context_sequence_remove(context, 1, 3, -1) == QUERN_OK);
  CHECK(quern_context_sequence_length(context, 1) == 3);
  {
    quern_batch_token step = {302, 3, 1, 1};
    CHECK(quern_context_decode(context, &step, 1, NULL) == QUERN_OK);
    CHECK(memcmp(expected, quern_context_last_logits(context), 4096 * sizeof(float)) == 0);
    CHECK(quern_context_decode(context, &step, 1, NULL) == QUERN_ERROR_ARGUMENT); /* the position is taken */
    CHECK(quern_context_sequence_rewind(context, 1, 3, &reached) == QUERN_OK && reached == 3);
    CHECK(quern_context_sequence_length(context, 1) == 3 && quern_context_next_position(context, 1) == 3);
    CHECK(quern_context_decode(context, &step, 1, NULL) == QUERN_OK);
    CHECK(memcmp(expected, quern_context_last_logits(context), 4096 * sizeof(float)) == 0);
    CHECK(quern_context_sequence_rewind(context, 1, 100, &reached) == QUERN_OK && reached == 4);
    CHECK(quern_context_sequence_rewind(context, 1, -1, &reached) == QUERN_ERROR_ARGUMENT);
    CHECK(quern_context_sequence_rewind(context, 1, 0, NULL) == QUERN_ERROR_ARGUMENT);
    CHECK(quern_context_sequence_rewind(context, 2, 0, &reached) == QUERN_ERROR_ARGUMENT && reached == 4);
  }

  CHECK(quern_context_sequence_save(context, 0, NULL, 0, &needed) == QUERN_ERROR_BUFFER_TOO_SMALL);
  state = malloc(needed);
  CHECK(quern_context_sequence_save(context, 0, state, needed, &needed) == QUERN_OK);
  CHECK(quern_context_sequence_keep(context, 1) == QUERN_OK);
  CHECK(quern_context_sequence_length(context, 0) == 0);
  CHECK(quern_context_sequence_restore(context, 0, state, needed) == QUERN_OK);
  CHECK(quern_context_sequence_length(context, 0) == 4);
  CHECK(quern_context_sequence_restore(context, 0, state, needed / 2) == QUERN_ERROR_FORMAT);
  CHECK(quern_context_sequence_restore(context, 9, state, needed) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_context_n_ctx(context) == 128 && quern_context_n_used(context) >= 4 &&
        quern_context_cache_bytes(context) > 0);
  quern_context_clear(context);
  CHECK(quern_context_n_used(context) == 0);
  free(state);
  free(expected);
}

static void test_sampler(const quern_model* model, quern_context* context) {
  const quern_token prompt[] = {1, 300, 301, 302};
  quern_sampler_options options = QUERN_SAMPLER_OPTIONS_INIT, filled;
  quern_logit_bias bias;
  quern_sampler* sampler = NULL;
  quern_token_probability candidates[4];
  quern_token greedy = -1, other = -1;
  const char* breakers[] = {"\n"};
  size_t n = 0;

  CHECK(quern_sampler_options_init(&filled, sizeof filled) == QUERN_OK);
  CHECK(filled.struct_size == sizeof filled && filled.top_k == 40 && filled.repeat_penalty == 1.0f &&
        filled.order == NULL);
  CHECK(quern_sampler_options_init(&filled, 4) == QUERN_ERROR_ARGUMENT);

  CHECK(quern_context_append(context, prompt, 4, 0, 0, NULL) == QUERN_OK);
  options.temperature = 0;
  options.seed = 5;
  options.dry_sequence_breakers = breakers;
  options.n_dry_sequence_breakers = 1;
  options.order = "kt";
  CHECK(quern_sampler_create(model, &options, &sampler) == QUERN_OK);
  CHECK(quern_sampler_seed(sampler) == 5);
  CHECK(quern_sampler_sample(sampler, quern_context_last_logits(context), 4096, &greedy) == QUERN_OK && greedy >= 0);
  CHECK(quern_sampler_sample(sampler, quern_context_last_logits(context), 4095, &other) == QUERN_ERROR_ARGUMENT);
  CHECK(other == -1);
  quern_sampler_accept(sampler, greedy);
  CHECK(quern_sampler_candidates(sampler, candidates, 4, &n) == QUERN_OK && n >= 1 && candidates[0].token == greedy);
  quern_sampler_reset(sampler);
  quern_sampler_close(sampler);

  bias.token = greedy;
  bias.bias = -INFINITY;
  options.logit_bias = &bias;
  options.n_logit_bias = 1;
  CHECK(quern_sampler_create(model, &options, &sampler) == QUERN_OK);
  CHECK(quern_sampler_sample(sampler, quern_context_last_logits(context), 4096, &other) == QUERN_OK && other != greedy);
  quern_sampler_close(sampler);
  options.top_p = 3;
  CHECK(quern_sampler_create(model, &options, &sampler) == QUERN_ERROR_ARGUMENT && message_has("top_p"));
  CHECK(sampler == NULL);
  quern_context_clear(context);
}

static void test_context(const quern_model* model) {
  quern_context_options options = QUERN_CONTEXT_OPTIONS_INIT;
  quern_decode_options decode = QUERN_DECODE_OPTIONS_INIT;
  quern_cancel_token* cancel = NULL;
  quern_context* context = NULL;
  const quern_token token = 300;
  quern_token many[129];
  size_t i;

  options.type_k = 77;
  CHECK(quern_context_create(model, &options, &context) == QUERN_ERROR_UNSUPPORTED);
  options.type_k = QUERN_CACHE_F32;
  options.n_ctx = 128;
  options.n_seq_max = 2;
  options.n_checkpoints = 5000000000;
  CHECK(quern_context_create(model, &options, &context) == QUERN_ERROR_ARGUMENT && message_has("n_checkpoints"));
  options.n_checkpoints = 5000;
  CHECK(quern_context_create(model, &options, &context) == QUERN_ERROR_ARGUMENT && message_has("n_checkpoints"));
  options.n_checkpoints = -1;
  CHECK(quern_context_create(model, &options, &context) == QUERN_OK);
  test_sequences(model, context);
  test_sampler(model, context);

  for (i = 0; i < 129; ++i) many[i] = 300;
  CHECK(quern_context_append(context, many, 129, 0, 0, NULL) == QUERN_ERROR_CONTEXT_FULL);
  CHECK(quern_context_append(context, NULL, 3, 0, 0, NULL) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_cancel_token_create(&cancel) == QUERN_OK);
  quern_cancel_token_cancel(cancel);
  decode.cancel = cancel;
  CHECK(quern_context_append(context, &token, 1, 0, 0, &decode) == QUERN_ERROR_CANCELLED);
  CHECK(quern_context_n_used(context) == 0 && quern_context_last_logits(context) == NULL);
  quern_cancel_token_close(cancel);
  quern_context_close(context);
}

/* ---- generation and chat ---- */

struct stream {
  char text[1024];
  size_t size;
  int left;
};

static int on_token(void* user, quern_token token, const char* text, size_t size) {
  struct stream* stream = user;
  (void)token;
  if (stream->size + size < sizeof stream->text) {
    memcpy(stream->text + stream->size, text, size);
    stream->size += size;
  }
  return --stream->left <= 0;
}

static void test_chat(const quern_model* model) {
  quern_sampler_options sampler = QUERN_SAMPLER_OPTIONS_INIT;
  quern_generate_options options = QUERN_GENERATE_OPTIONS_INIT;
  quern_timings timings = QUERN_TIMINGS_INIT;
  quern_chat_message message;
  quern_generation* answer = NULL;
  quern_chat* chat = NULL;
  struct stream stream;
  size_t size = 0, n = 0;

  memset(&stream, 0, sizeof stream);
  stream.left = 1000;
  sampler.temperature = 0;
  options.sampler = &sampler;
  options.on_token = on_token;
  options.on_token_user = &stream;
  CHECK(quern_chat_create(model, NULL, NULL, 0, &chat) == QUERN_OK);
  CHECK(quern_chat_send(chat, "What is the capital of France?", QUERN_NUL_TERMINATED, &options, &answer) == QUERN_OK);
  CHECK(strcmp(quern_generation_text(answer, &size), "The capital of France is Paris.") == 0 && size == 31);
  CHECK(stream.size == size && memcmp(stream.text, quern_generation_text(answer, NULL), size) == 0);
  CHECK(quern_generation_tokens(answer, &n) != NULL && n > 3);
  CHECK(quern_generation_stop_reason(answer) == QUERN_STOP_END_OF_GENERATION);
  CHECK(quern_generation_get_timings(answer, &timings) == QUERN_OK);
  CHECK(timings.n_generated == n && timings.n_prompt > 5 && timings.generate_seconds > 0);
  quern_generation_close(answer);

  stream.left = 2;
  CHECK(quern_chat_send(chat, "And Japan?", QUERN_NUL_TERMINATED, &options, &answer) == QUERN_OK);
  CHECK(quern_generation_stop_reason(answer) == QUERN_STOP_CANCELLED);
  quern_generation_close(answer);
  CHECK(quern_chat_n_messages(chat) == 4);
  CHECK(quern_chat_get_message(chat, 2, &message) == QUERN_OK && strcmp(message.role, "user") == 0);
  CHECK(strcmp(message.content, "And Japan?") == 0 && message.content_size == 10);
  CHECK(quern_chat_get_message(chat, 4, &message) == QUERN_ERROR_ARGUMENT);
  quern_chat_undo(chat);
  CHECK(quern_chat_n_messages(chat) == 2);
  CHECK(quern_context_n_used(quern_chat_context(chat)) > 10);
  quern_context_close(quern_chat_context(chat)); /* belongs to the chat: nothing happens */
  CHECK(quern_context_n_ctx(quern_chat_context(chat)) == 512);
  quern_chat_clear(chat);
  CHECK(quern_chat_n_messages(chat) == 0);
  quern_chat_close(chat);
}

static void test_generate(const quern_model* model) {
  quern_generate_options options = QUERN_GENERATE_OPTIONS_INIT;
  quern_sampler_options sampler = QUERN_SAMPLER_OPTIONS_INIT;
  quern_generation* answer = NULL;
  quern_context* context = NULL;
  const char* stop[] = {"\n", NULL};
  quern_token prompt[32];
  size_t n = 0;

  sampler.temperature = 0;
  options.sampler = &sampler;
  options.max_tokens = 7;
  CHECK(quern_context_create(model, NULL, &context) == QUERN_OK);
  CHECK(quern_tokenize(model, "The old house stood", QUERN_NUL_TERMINATED, QUERN_TOKENIZE_ADD_SPECIAL, prompt, 32,
                       &n) == QUERN_OK);
  CHECK(quern_generate(context, prompt, n, &options, &answer) == QUERN_OK);
  CHECK(quern_generation_stop_reason(answer) == QUERN_STOP_LENGTH);
  CHECK(quern_generation_tokens(answer, &n) != NULL && n == 7);
  quern_generation_close(answer);
  options.stop = stop;
  options.n_stop = 2;
  CHECK(quern_generate(context, prompt, 4, &options, &answer) == QUERN_ERROR_ARGUMENT && answer == NULL);
  CHECK(quern_generate(context, NULL, 0, NULL, &answer) == QUERN_ERROR_ARGUMENT);
  quern_context_close(context);
}

int main(int argc, char** argv) {
  int n_messages = 0;
  quern_runtime* runtime;
  quern_model* model;
  if (argc != 2) {
    fprintf(stderr, "usage: %s MODEL.gguf\n", argv[0]);
    return 2;
  }
  test_basics();
  test_null_is_accepted();
  runtime = test_runtime(&n_messages);
  model = test_model(argv[1], runtime);
  quern_runtime_close(runtime); /* the model keeps it */
  test_tokenizer(model);
  test_template(model);
  test_context(model);
  test_generate(model);
  test_chat(model);
  test_convert(argv[1], model);
  test_adapter(model);
  test_embed(model);
  test_scheduler(model);
  quern_model_close(model);
  printf("%d checks, %d failures\n", n_checks, n_failures);
  return n_failures == 0 ? 0 : 1;
}
