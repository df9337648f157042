/* The smallest program in C: ask a model one question and print the answer as it comes.
 *
 *   04_hello_c examples/models/quern-demo-q8_0.gguf "What is the capital of France?"
 */
#include <quern_c.h>
#include <stdio.h>

static int on_token(void* user, quern_token token, const char* text, size_t size) {
  (void)user;
  (void)token;
  fwrite(text, 1, size, stdout);
  fflush(stdout);
  return 0; /* nonzero would stop here */
}

static int ask(const char* path, const char* question) {
  quern_model* model = NULL;
  quern_chat* chat = NULL;
  quern_generation* answer = NULL;
  quern_generate_options options = QUERN_GENERATE_OPTIONS_INIT;
  quern_status status;
  options.on_token = on_token;

  status = quern_model_open(path, NULL, &model);
  if (status == QUERN_OK) status = quern_chat_create(model, NULL, NULL, 0, &chat);
  if (status == QUERN_OK) status = quern_chat_send(chat, question, QUERN_NUL_TERMINATED, &options, &answer);
  if (status == QUERN_OK) {
    printf("\n");
  } else {
    fprintf(stderr, "%s: %s\n", quern_status_name(status), quern_last_error_message());
  }
  quern_generation_close(answer);
  quern_chat_close(chat);
  quern_model_close(model);
  return status == QUERN_OK ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s MODEL.gguf QUESTION\n", argv[0]);
    return 2;
  }
  return ask(argv[1], argv[2]);
}
