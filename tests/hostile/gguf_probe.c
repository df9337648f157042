/* Opens a model file through the C interface and uses everything that an application would: metadata, tokenizer, chat
 * template, a few steps of the forward pass, and a sampler. Meant for files that nobody should trust.
 *
 * The check of the file has to agree with opening it.
 *
 *   gguf_probe FILE        exit status 0: it ran; 1: refused with a message (on stderr); anything else is a defect */
#include <quern_c.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

static int refused(const char* where) {
  fprintf(stderr, "%s: %s\n", where, quern_last_error_message());
  return quern_last_error_message()[0] == '\0' ? 3 : 1; /* an error without a message is a defect */
}

/* Whether the check of the file says what opening it has said. */
static int check_agrees(const char* path, int opened, const char* message) {
  quern_check_report* report = NULL;
  quern_check_info info = QUERN_CHECK_INFO_INIT;
  quern_check_problem problem = QUERN_CHECK_PROBLEM_INIT;
  int agrees;
  if (quern_check(path, NULL, &report) != 0) return 0;
  agrees = quern_check_report_get_info(report, &info) == 0 && (info.opens != 0) == opened;
  if (agrees && !opened)
    agrees = quern_check_report_get_problem(report, 0, &problem) == 0 && strcmp(problem.message, message) == 0;
  if (!agrees)
    fprintf(stderr, "check: opens %d, first problem \"%s\"; open: %s\n", (int)info.opens,
            problem.message ? problem.message : "", opened ? "it opens" : message);
  quern_check_report_close(report);
  return agrees;
}

static int use_tokenizer(const quern_model* model) {
  static const char kText[] =
      "Hello <|im_start|>w\xC3\xB6rld\n\t 123 \xE2\x82\xAC \xF0\x9F\x98\x80 <0x0A> \xFF\xFE end";
  quern_token tokens[512];
  char text[8192];
  size_t n = 0, size = 0;
  uint32_t flags;
  for (flags = 0; flags < 4; ++flags) {
    if (quern_tokenize(model, kText, sizeof kText - 1, flags, tokens, 512, &n) != 0) return refused("tokenize");
    if (quern_detokenize(model, tokens, n, 1, text, sizeof text, &size) != 0) return refused("detokenize");
  }
  return 0;
}

static int use_template(const quern_model* model) {
  const quern_chat_message messages[] = {{"user", "Hi!", 3}, {"assistant", "Hello.", 6}, {"user", "And now?", 8}};
  quern_chat_template* chat_template = NULL;
  static char text[1 << 20];
  size_t size = 0;
  /* A template that is refused, or that refuses the conversation, does not make the model unusable. */
  if (quern_chat_template_from_model(model, &chat_template) != 0) return refused("template") == 3 ? 3 : 0;
  if (quern_chat_template_render(chat_template, messages, 3, NULL, text, sizeof text, &size) != 0 &&
      refused("render") == 3)
    return 3;
  quern_chat_template_close(chat_template);
  return 0;
}

static int use_context(const quern_model* model) {
  quern_context_options options = QUERN_CONTEXT_OPTIONS_INIT;
  quern_context* context = NULL;
  quern_sampler* sampler = NULL;
  quern_token token = 3;
  int step;
  options.n_ctx = 64;
  if (quern_n_tokens(model) <= token) token = 0;
  if (quern_context_create(model, &options, &context) != 0) return refused("context");
  if (quern_sampler_create(model, NULL, &sampler) != 0) return refused("sampler");
  for (step = 0; step < 4; ++step) {
    if (quern_context_append(context, &token, 1, 0, 0, NULL) != 0) return refused("decode");
    if (quern_sampler_sample(sampler, quern_context_last_logits(context), (size_t)quern_n_tokens(model), &token) != 0)
      return refused("sample");
    quern_sampler_accept(sampler, token);
  }
  quern_sampler_close(sampler);
  quern_context_close(context);
  return 0;
}

int main(int argc, char** argv) {
  quern_model* model = NULL;
  size_t i, length = 0;
  int status;
  if (argc != 2) return 2;
  if (quern_model_open(argv[1], NULL, &model) != 0) {
    char message[4096];
    snprintf(message, sizeof message, "%s", quern_last_error_message());
    status = refused("open");
    return check_agrees(argv[1], 0, message) ? status : 5;
  }
  if (!check_agrees(argv[1], 1, "")) return 5;
  for (i = 0; i < quern_model_n_metadata(model); ++i) {
    length += strlen(quern_model_metadata_key(model, i)) + strlen(quern_model_metadata_value(model, i));
  }
  if (length == 0) return 4;
  status = use_tokenizer(model);
  if (status == 0) status = use_template(model);
  if (status == 0) status = use_context(model);
  quern_model_close(model);
  return status;
}
