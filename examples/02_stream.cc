// Continues a text, printing each piece as it comes. Errors are values here; nothing is thrown.
//
//   02_stream examples/models/quern-demo-q8_0.gguf "The old house stood near the river, and"
#include <quern/quern.h>

#include <cstdio>

namespace {

quern::Status stream(const char* path, const char* prompt) {
  const auto model =
      quern::Model::open(path, {.progress = [](const quern::Progress& progress) {
                           std::fprintf(stderr, "\r%s %3.0f%%", "loading", 100.0 * progress.done / progress.total);
                           return true;  // false would cancel
                         }});
  if (!model) return model.error();
  std::fprintf(stderr, "\n");

  auto context = quern::Context::create(*model, {.n_ctx = 512});
  if (!context) return context.error();

  quern::GenerateOptions options;
  options.max_tokens = 100;
  options.sampler.temperature = 0.7f;
  options.sampler.seed = 42;  // the same text each time, on every machine
  options.stop = {"\n\n"};
  options.on_token = [](const quern::GeneratedToken& step) {
    std::fwrite(step.text.data(), 1, step.text.size(), stdout);
    std::fflush(stdout);
    return true;  // false would stop here
  };
  const auto generation = quern::generate(*context, model->tokenizer().tokenize(prompt), options);
  if (!generation) return generation.error();

  const auto& timings = generation->timings;
  std::fprintf(stderr, "\n%u tokens, %.1f per second\n", timings.n_generated,
               timings.n_generated / timings.generate_seconds);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s MODEL.gguf PROMPT\n", argv[0]);
    return 2;
  }
  const quern::Status status = stream(argv[1], argv[2]);
  if (!status) std::fprintf(stderr, "%s: %s\n", quern::errc_name(status.error().code), status.error().message.c_str());
  return status ? 0 : 1;
}
