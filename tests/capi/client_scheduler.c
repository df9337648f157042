/* What quern_c_scheduler.h, quern_c_logits.h and quern_c_evaluate.h declare, and what tells the probabilities of steps.
 */
#include <math.h>
#include <string.h>

#include "client.h"

/* What the callbacks of one generation saw. */
typedef struct seen {
  size_t n_steps, n_tokens, n_ends;
  char text[512];
  size_t size;
  int sound;        /* the probabilities were as they should be */
  size_t stop_at;   /* end it with this token; 0: never */
  quern_status end; /* of the last end */
  char answer[512];
} seen;

static int on_step(void* user, const quern_step* step) {
  seen* s = (seen*)user;
  if (step->struct_size < sizeof(quern_step)) s->sound = 0;
  if (s->size + step->size < sizeof s->text) {
    memcpy(s->text + s->size, step->text, step->size);
    s->size += step->size;
  }
  ++s->n_steps;
  if (step->token < 0) return 0;
  ++s->n_tokens;
  /* Greedy: the token is the most probable one. */
  if (step->n_top != 2 || step->top[0].token != step->token || step->top[0].logprob != step->logprob) s->sound = 0;
  if (step->n_top == 2 && step->top[1].logprob > step->top[0].logprob) s->sound = 0;
  if (!(step->logprob <= 0)) s->sound = 0;
  return s->stop_at != 0 && s->n_tokens >= s->stop_at;
}

static void on_end(void* user, quern_status status, const quern_generation* generation) {
  seen* s = (seen*)user;
  ++s->n_ends;
  s->end = status;
  if (generation) strncpy(s->answer, quern_generation_text(generation, NULL), sizeof s->answer - 1);
}

static size_t prompt_of(const quern_model* model, const char* text, quern_token* tokens) {
  size_t n = 0;
  CHECK(quern_tokenize(model, text, QUERN_NUL_TERMINATED, QUERN_TOKENIZE_ADD_SPECIAL, tokens, 64, &n) == QUERN_OK);
  return n;
}

static void test_scheduler_calls(const quern_model* model) {
  quern_scheduler_options options = QUERN_SCHEDULER_OPTIONS_INIT;
  quern_context_options context = QUERN_CONTEXT_OPTIONS_INIT;
  quern_generate_options generate = QUERN_GENERATE_OPTIONS_INIT;
  quern_sampler_options greedy = QUERN_SAMPLER_OPTIONS_INIT;
  quern_scheduler_stats stats = QUERN_SCHEDULER_STATS_INIT;
  quern_scheduler* scheduler = NULL;
  quern_context* alone = NULL;
  quern_generation* expected = NULL;
  quern_cancel_token* stop = NULL;
  quern_running running[4];
  quern_token prompt[64];
  seen one, two;
  uint64_t id = 0;
  int32_t worked = 1;
  size_t n = prompt_of(model, "The old house", prompt), needed = 9;

  memset(&one, 0, sizeof one);
  one.sound = 1;
  two = one;
  two.stop_at = 3;
  greedy.temperature = 0;
  generate.sampler = &greedy;
  generate.max_tokens = 8;
  CHECK(quern_context_create(model, NULL, &alone) == QUERN_OK);
  CHECK(quern_generate(alone, prompt, n, &generate, &expected) == QUERN_OK);

  context.n_ctx = 256;
  options.context = &context;
  options.n_parallel = 2;
  CHECK(quern_scheduler_create(model, &options, &scheduler) == QUERN_OK);
  CHECK(quern_scheduler_step(scheduler, &worked) == QUERN_OK && worked == 0);
  generate.on_step = on_step;
  generate.logprobs = 1;
  generate.n_logprobs = 2;
  generate.on_step_user = &one;
  CHECK(quern_scheduler_submit(scheduler, prompt, n, &generate, on_end, &one, &id) == QUERN_OK);
  generate.on_step_user = &two;
  CHECK(quern_scheduler_submit(scheduler, prompt, n, &generate, on_end, &two, NULL) == QUERN_OK);
  CHECK(quern_scheduler_step(scheduler, &worked) == QUERN_OK && worked == 1);
  CHECK(quern_scheduler_running(scheduler, running, 4, &needed) == QUERN_OK && needed == 2);
  CHECK(running[0].id == id && running[0].n_prompt == n);
  while (worked && quern_scheduler_step(scheduler, &worked) == QUERN_OK) {
  }
  CHECK(one.n_ends == 1 && one.end == QUERN_OK && one.sound && one.n_tokens == 8);
  CHECK(strcmp(one.answer, quern_generation_text(expected, NULL)) == 0);
  CHECK(one.size == strlen(one.answer) && memcmp(one.text, one.answer, one.size) == 0);
  CHECK(two.n_ends == 1 && two.end == QUERN_OK && two.sound && two.n_tokens == 3);
  CHECK(quern_scheduler_get_stats(scheduler, &stats) == QUERN_OK && stats.n_finished == 2 && stats.n_ctx == 256);
  CHECK(stats.n_generated_tokens == 11 && stats.n_running == 0);

  CHECK(quern_cancel_token_create(&stop) == QUERN_OK);
  quern_cancel_token_cancel(stop);
  CHECK(quern_scheduler_run(scheduler, stop) == QUERN_OK);
  CHECK(quern_scheduler_submit(scheduler, NULL, 0, NULL, NULL, NULL, NULL) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_scheduler_submit(scheduler, NULL, 3, NULL, NULL, NULL, NULL) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_scheduler_submit(scheduler, prompt, n, &generate, on_end, &one, NULL) == QUERN_OK);
  quern_scheduler_close(scheduler);
  CHECK(one.n_ends == 2 && one.end == QUERN_ERROR_CANCELLED);
  quern_cancel_token_close(stop);
  quern_generation_close(expected);
  quern_context_close(alone);

  quern_scheduler_close(NULL);
  CHECK(quern_scheduler_create(NULL, NULL, &scheduler) == QUERN_ERROR_ARGUMENT && scheduler == NULL);
  CHECK(quern_scheduler_step(NULL, NULL) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_scheduler_run(NULL, NULL) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_scheduler_get_stats(NULL, &stats) == QUERN_ERROR_ARGUMENT);
  CHECK(quern_scheduler_running(NULL, NULL, 0, &needed) == QUERN_ERROR_ARGUMENT);
}

static void test_shared_logits(const quern_model* model) {
  quern_context* context = NULL;
  quern_logits *kept = NULL, *none = NULL;
  quern_token prompt[64];
  size_t n = prompt_of(model, "The old house", prompt), n_vocab, i;
  float copy[4];

  CHECK(quern_context_create(model, NULL, &context) == QUERN_OK);
  CHECK(quern_context_share_logits(context, &none) == QUERN_OK && quern_logits_n_rows(none) == 0);
  CHECK(quern_context_append(context, prompt, n, 0, 1, NULL) == QUERN_OK);
  CHECK(quern_context_share_logits(context, &kept) == QUERN_OK && quern_logits_n_rows(kept) == n);
  n_vocab = quern_logits_n_vocab(kept);
  CHECK(n_vocab == (size_t)quern_n_tokens(model) && quern_logits_get(kept, n) == NULL);
  CHECK(quern_logits_get(kept, 1) == quern_context_logits(context, 1)); /* not copied */
  memcpy(copy, quern_logits_get(kept, n - 1), sizeof copy);
  CHECK(quern_context_append(context, prompt, n, 0, 1, NULL) == QUERN_OK);
  CHECK(quern_logits_get(kept, n - 1) != quern_context_logits(context, n - 1));
  CHECK(quern_context_logits(context, n - 1)[0] != copy[0]);
  quern_context_close(context);
  for (i = 0; i < 4; ++i) CHECK(quern_logits_get(kept, n - 1)[i] == copy[i]);
  quern_logits_close(kept);
  quern_logits_close(none);
  quern_logits_close(NULL);
  CHECK(quern_logits_n_rows(NULL) == 0 && quern_logits_n_vocab(NULL) == 0 && quern_logits_get(NULL, 0) == NULL);
  CHECK(quern_context_share_logits(NULL, &none) == QUERN_ERROR_ARGUMENT && none == NULL);
}

static void count_window(void* user, const quern_perplexity_result* result) {
  if (result->ppl > 1) ++*(int*)user;
}

static void count_chunk(void* user, uint32_t n_chunks) { *(uint32_t*)user += n_chunks; }

static void test_figures(const quern_model* model) {
  quern_perplexity_options options = QUERN_PERPLEXITY_OPTIONS_INIT;
  quern_perplexity_result result = QUERN_PERPLEXITY_RESULT_INIT;
  quern_comparison comparison = QUERN_COMPARISON_INIT;
  quern_imatrix_options collect = QUERN_IMATRIX_OPTIONS_INIT;
  quern_imatrix_layer layer = QUERN_IMATRIX_LAYER_INIT;
  quern_imatrix* imatrix = NULL;
  quern_token tokens[64];
  uint32_t chunks = 0;
  int windows = 0;
  size_t n = prompt_of(model,
                       "The old house stood near the river. It had two doors and six windows, and nobody lived in "
                       "it. On Sundays the children of the village came to play there.",
                       tokens);

  options.n_ctx = 8;
  options.on_window = count_window;
  options.on_window_user = &windows;
  CHECK(quern_perplexity(model, tokens, n, &options, &result) == QUERN_OK);
  CHECK(windows == (int)result.n_windows && windows > 1);
  CHECK(quern_compare(model, model, tokens, n, &options, &comparison) == QUERN_OK);
  CHECK(comparison.kl_divergence == 0 && comparison.top1_agreement == 1 && comparison.n_tokens == result.n_tokens);
  CHECK(fabs(comparison.ppl - result.ppl) < 1e-9 && comparison.ppl == comparison.reference_ppl);
  CHECK(quern_compare(NULL, model, tokens, n, NULL, &comparison) == QUERN_ERROR_ARGUMENT);

  collect.n_ctx = 8;
  collect.dataset = "village";
  collect.on_chunk = count_chunk;
  collect.on_chunk_user = &chunks;
  CHECK(quern_imatrix_create(&imatrix) == QUERN_OK);
  CHECK(quern_imatrix_collect(imatrix, model, tokens, 16, &collect) == QUERN_OK && chunks == 1 + 2);
  CHECK(strcmp(quern_imatrix_dataset(imatrix, 0), "village") == 0 && quern_imatrix_dataset(imatrix, 1) == NULL);
  CHECK(quern_imatrix_get_layer(imatrix, 0, &layer) == QUERN_OK && layer.layer == 0 && layer.sum > 0);
  CHECK(quern_imatrix_get_layer(imatrix, 999, &layer) == QUERN_ERROR_ARGUMENT);
  quern_imatrix_close(imatrix);
  CHECK(quern_imatrix_dataset(NULL, 0) == NULL);
}

static void test_taken_embeddings(const quern_model* model) {
  quern_embedder_options options = QUERN_EMBEDDER_OPTIONS_INIT;
  quern_embedder* embedder = NULL;
  quern_embeddings* taken = NULL;
  const char* texts[] = {"A house by a river."};
  const float* values;
  size_t n_rows = 0, n_tokens = 0;
  float first;

  options.pooling = QUERN_POOLING_MEAN;
  CHECK(quern_embedder_create(model, &options, &embedder) == QUERN_OK);
  CHECK(quern_embedder_embed(embedder, texts, NULL, 1, NULL) == QUERN_OK);
  values = quern_embedder_get(embedder, 0, NULL, NULL);
  first = values[0];
  CHECK(quern_embedder_take(embedder, &taken) == QUERN_OK && quern_embedder_n_texts(embedder) == 0);
  CHECK(quern_embeddings_n_texts(taken) == 1 && quern_embeddings_n_embd(taken) == quern_embedder_n_embd(embedder));
  quern_embedder_close(embedder);
  CHECK(quern_embeddings_get(taken, 0, &n_rows, &n_tokens) == values && values[0] == first);
  CHECK(n_rows == 1 && n_tokens > 1 && quern_embeddings_get(taken, 1, NULL, NULL) == NULL);
  quern_embeddings_close(taken);
  quern_embeddings_close(NULL);
  CHECK(quern_embeddings_n_texts(NULL) == 0 && quern_embeddings_n_embd(NULL) == 0);
  CHECK(quern_embedder_take(NULL, &taken) == QUERN_ERROR_ARGUMENT);
}

static void test_runtime_of_model(const quern_model* model) {
  quern_runtime* runtime = NULL;
  CHECK(quern_model_get_runtime(model, &runtime) == QUERN_OK && quern_runtime_n_threads(runtime) > 0);
  quern_runtime_close(runtime);
  CHECK(quern_model_get_runtime(NULL, &runtime) == QUERN_ERROR_ARGUMENT && runtime == NULL);
}

void test_scheduler(const quern_model* model) {
  test_scheduler_calls(model);
  test_shared_logits(model);
  test_figures(model);
  test_taken_embeddings(model);
  test_runtime_of_model(model);
}
