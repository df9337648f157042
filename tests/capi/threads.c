/* What quern_c.h says about threads, done from several at once: built with ThreadSanitizer as well.
 *
 * Shared: a runtime, a model, a chat template, a cancel token. Each thread has a chat, a context and an embedder of its
 * own, opens and closes models, fails, and reads its own error message. Then one thread is cancelled by another, and
 * one handle goes from thread to thread.
 *
 * usage: threads MODEL.gguf
 */
#include <pthread.h>
#include <quern_c.h>
#include <stdio.h>
#include <string.h>

enum { kThreads = 4 };

struct shared {
  const char* path;
  quern_runtime* runtime;
  quern_model* model;
  quern_chat_template* chat_template;
  quern_cancel_token* cancel;
};

struct work {
  const struct shared* shared;
  int index;
  char failure[256]; /* empty: none */
};

#define CHECK(condition)                                                                      \
  do {                                                                                        \
    if (!(condition) && work->failure[0] == 0) {                                              \
      snprintf(work->failure, sizeof work->failure, "line %d: %s (%s)", __LINE__, #condition, \
               quern_last_error_message());                                                   \
    }                                                                                         \
  } while (0)

static void chat_once(struct work* work) {
  quern_sampler_options sampler = QUERN_SAMPLER_OPTIONS_INIT;
  quern_generate_options options = QUERN_GENERATE_OPTIONS_INIT;
  quern_generation* answer = NULL;
  quern_chat* chat = NULL;
  sampler.temperature = 0;
  options.sampler = &sampler;
  options.cancel = work->shared->cancel;
  CHECK(quern_chat_create(work->shared->model, NULL, NULL, 0, &chat) == QUERN_OK);
  CHECK(quern_chat_send(chat, "What is the capital of France?", QUERN_NUL_TERMINATED, &options, &answer) == QUERN_OK);
  CHECK(answer != NULL && strcmp(quern_generation_text(answer, NULL), "The capital of France is Paris.") == 0);
  quern_generation_close(answer);
  quern_chat_close(chat);
}

static void render_and_embed(struct work* work) {
  const quern_chat_message message = {"user", "Hello!", QUERN_NUL_TERMINATED};
  const char* texts[] = {"The old house stood near the river."};
  quern_embedder_options options = QUERN_EMBEDDER_OPTIONS_INIT;
  quern_embedder* embedder = NULL;
  quern_token tokens[64];
  size_t n = 0;
  CHECK(quern_chat_template_tokenize(work->shared->chat_template, &message, 1, NULL, tokens, 64, &n) == QUERN_OK &&
        n > 5);
  options.pooling = QUERN_POOLING_MEAN;
  options.n_batch = 64;
  CHECK(quern_embedder_create(work->shared->model, &options, &embedder) == QUERN_OK);
  CHECK(quern_embedder_embed(embedder, texts, NULL, 1, NULL) == QUERN_OK);
  CHECK(quern_embedder_get(embedder, 0, NULL, NULL) != NULL);
  quern_embedder_close(embedder);
}

/* Each thread's last error is its own, and stays while the others fail, too. */
static void fail(struct work* work) {
  char name[32];
  quern_model* model = NULL;
  quern_model_options options = QUERN_MODEL_OPTIONS_INIT;
  snprintf(name, sizeof name, "missing_%d.gguf", work->index);
  CHECK(quern_model_open(name, NULL, &model) == QUERN_ERROR_NOT_FOUND);
  options.runtime = work->shared->runtime;
  options.vocab_only = 1;
  CHECK(quern_model_open(work->shared->path, &options, &model) == QUERN_OK);
  CHECK(strstr(quern_last_error_message(), name) != NULL);
  quern_model_close(model);
}

static void* run(void* user) {
  struct work* work = user;
  fail(work);
  chat_once(work);
  render_and_embed(work);
  fail(work);
  return NULL;
}

/* Generates without an end until the token that they share is raised by the main thread. */
static void* run_until_cancelled(void* user) {
  struct work* work = user;
  const quern_token prompt[] = {1, 300, 301};
  quern_sampler_options sampler = QUERN_SAMPLER_OPTIONS_INIT;
  quern_generate_options options = QUERN_GENERATE_OPTIONS_INIT;
  quern_context* context = NULL;
  int cancelled = 0, i;
  sampler.ignore_eos = 1;
  options.sampler = &sampler;
  options.cancel = work->shared->cancel;
  CHECK(quern_context_create(work->shared->model, NULL, &context) == QUERN_OK);
  for (i = 0; i < 1000 && !cancelled; ++i) { /* the context is full after 512 tokens: then again */
    quern_generation* answer = NULL;
    const quern_status status = quern_generate(context, prompt, 3, &options, &answer);
    CHECK(status == QUERN_OK || status == QUERN_ERROR_CANCELLED);
    cancelled = status == QUERN_ERROR_CANCELLED || quern_generation_stop_reason(answer) == QUERN_STOP_CANCELLED;
    quern_generation_close(answer);
  }
  CHECK(cancelled);
  quern_context_close(context);
  return NULL;
}

/* A handle may be used by one thread after the other. */
static void* send_next(void* user) {
  quern_chat* chat = user;
  quern_generate_options options = QUERN_GENERATE_OPTIONS_INIT;
  quern_generation* answer = NULL;
  options.max_tokens = 4;
  if (quern_chat_send(chat, "And now?", QUERN_NUL_TERMINATED, &options, &answer) != QUERN_OK) return user;
  quern_generation_close(answer);
  return NULL;
}

static int all(void* (*function)(void*), const struct shared* shared, int raise_cancel) {
  pthread_t threads[kThreads];
  struct work works[kThreads];
  int failures = 0, i;
  memset(works, 0, sizeof works);
  for (i = 0; i < kThreads; ++i) {
    works[i].shared = shared;
    works[i].index = i;
    pthread_create(&threads[i], NULL, function, &works[i]);
  }
  if (raise_cancel) quern_cancel_token_cancel(shared->cancel);
  for (i = 0; i < kThreads; ++i) {
    pthread_join(threads[i], NULL);
    if (works[i].failure[0] != 0) ++failures, printf("thread %d: %s\n", i, works[i].failure);
  }
  return failures;
}

static int one_after_the_other(const quern_model* model) {
  quern_chat* chat = NULL;
  pthread_t thread;
  void* failed = NULL;
  int failures = 0, i;
  if (quern_chat_create(model, NULL, NULL, 0, &chat) != QUERN_OK) return 1;
  for (i = 0; i < 3; ++i) {
    pthread_create(&thread, NULL, send_next, chat);
    pthread_join(thread, &failed);
    failures += failed != NULL;
  }
  failures += quern_chat_n_messages(chat) != 6;
  quern_chat_close(chat);
  return failures;
}

int main(int argc, char** argv) {
  quern_runtime_options runtime_options = QUERN_RUNTIME_OPTIONS_INIT;
  quern_model_options options = QUERN_MODEL_OPTIONS_INIT;
  struct shared shared = {NULL, NULL, NULL, NULL, NULL};
  int failures = 0;
  if (argc != 2) return 2;
  shared.path = argv[1];
  runtime_options.n_threads = 2;
  if (quern_runtime_create(&runtime_options, &shared.runtime) || (options.runtime = shared.runtime) == NULL ||
      quern_model_open(argv[1], &options, &shared.model) || quern_cancel_token_create(&shared.cancel) ||
      quern_chat_template_from_model(shared.model, &shared.chat_template)) {
    printf("%s\n", quern_last_error_message());
    return 1;
  }
  failures += all(run, &shared, 0);
  failures += all(run_until_cancelled, &shared, 1);
  failures += one_after_the_other(shared.model);
  quern_chat_template_close(shared.chat_template);
  quern_cancel_token_close(shared.cancel);
  quern_model_close(shared.model);
  quern_runtime_close(shared.runtime);
  printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
