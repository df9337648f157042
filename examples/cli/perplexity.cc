// quern perplexity: how well a model predicts a text.
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/files.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/model_args.h"
#include "examples/cli/report.h"

namespace quern::cli {
namespace {

struct Args {
  ModelArgs model;
  AdapterArgs adapters;
  std::string file;
  uint32_t n_ctx = 512, n_batch = 512;
  int32_t chunks = -1;
  bool json = false;
};

int run(const Args& args) {
  if (args.file.empty()) return report_usage("no text: give -f FILE (or -f - for the standard input)");
  auto text = read_text(args.file);
  if (!text) return report(text.error());
  auto model = open_model(args.model);
  if (!model) return report(model.error());
  const auto tokens = model->tokenizer().tokenize(*text);
  auto adapters = open_adapters(*model, args.adapters);
  if (!adapters) return report(adapters.error());
  ProgressBar bar;
  PerplexityOptions options;
  options.adapters = std::move(*adapters);
  options.n_ctx = args.n_ctx;
  options.n_batch = args.n_batch;
  options.max_windows = args.chunks;
  options.cancel = catch_interrupts();
  options.progress = [&bar](const Progress& progress) {
    bar.update(progress);
    return true;
  };
  options.on_window = [&](const Perplexity& so_far) {
    bar.clear();
    if (!args.json) print("[" + std::to_string(so_far.n_windows) + "]" + fixed(so_far.ppl, 4) + ",");
  };
  const auto result = perplexity(*model, tokens, options);
  bar.clear();
  if (!args.json) print("\n");
  if (!result) return report(result.error());
  if (args.json) {
    print(dump({{"ppl", result->ppl},
                {"nll", result->nll},
                {"nll_stderr", result->nll_stderr},
                {"tokens", result->n_tokens},
                {"windows", result->n_windows},
                {"n_ctx", args.n_ctx}}));
  } else {
    print("perplexity " + fixed(result->ppl, 4) + " +/- " + fixed(result->ppl * result->nll_stderr, 4) + " (" +
          std::to_string(result->n_windows) + " windows of " + std::to_string(args.n_ctx) + ", " +
          std::to_string(result->n_tokens) + " tokens scored)\n");
  }
  return finish_output(kOk);
}

}  // namespace

void add_perplexity(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("perplexity", "Measure how well a model predicts a text");
  add_model_args(*command, args->model);
  add_adapter_args(*command, args->adapters);
  command->add_option("-f,--file", args->file, "The text")->type_name("FILE");
  command->add_option("-c,--ctx-size", args->n_ctx, "Tokens of a window; its second half is scored (512)")
      ->type_name("N")
      ->check(CLI::Range(4, 1 << 30));
  command->add_option("-b,--batch-size", args->n_batch, "Tokens of one pass (512)")
      ->type_name("N")
      ->check(CLI::Range(1, 65536));
  command->add_option("--chunks", args->chunks, "Windows to evaluate (-1: all whole ones)")->type_name("N");
  command->add_flag("--json", args->json, "Print one JSON document: ppl, nll, nll_stderr, tokens, windows, n_ctx");
  add_examples(*command,
               "  quern perplexity model.gguf -f wiki.test.raw\n"
               "  quern perplexity model.gguf -f wiki.test.raw -c 2048 --chunks 20 --json\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
