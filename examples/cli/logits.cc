// quern logits: the logits of every token of a list, as a NumPy file.
#include <algorithm>
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/files.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/model_args.h"

namespace quern::cli {
namespace {

struct Args {
  ModelArgs model;
  ContextArgs context;
  std::string tokens, out;
};

Status write_logits(Context& context, std::span<const Token> tokens, uint32_t n_batch, OutputFile& file,
                    ProgressBar& bar) {
  DecodeOptions options;
  options.cancel = catch_interrupts();
  const std::string header = npy_header(tokens.size(), context.model().info().n_vocab);
  if (Status status = file.write(header.data(), header.size()); !status) return status;
  for (size_t done = 0; done < tokens.size();) {
    const size_t n = std::min<size_t>(n_batch, tokens.size() - done);
    if (Status status = context.append(tokens.subspan(done, n), 0, true, options); !status) return status;
    for (size_t row = 0; row < context.n_logits(); ++row) {
      const auto logits = context.logits(row);
      if (Status status = file.write(logits.data(), logits.size_bytes()); !status) return status;
    }
    done += n;
    bar.update({"evaluate", done, tokens.size()});
  }
  return {};
}

int run(const Args& args) {
  if (args.tokens.empty() || args.out.empty()) return report_usage("give --tokens FILE.json and --out FILE.npy");
  auto tokens = read_tokens(args.tokens);
  if (!tokens) return report(tokens.error());
  if (tokens->empty()) return report({Errc::format, args.tokens + ": the array is empty"});
  auto model = open_model(args.model);
  if (!model) return report(model.error());
  ContextArgs context_args = args.context;
  if (context_args.n_ctx == 0) context_args.n_ctx = static_cast<uint32_t>(tokens->size());
  auto context = create_context(*model, context_args);
  if (!context) return report(context.error());
  auto file = OutputFile::create(args.out);
  if (!file) return report(file.error());
  ProgressBar bar;
  if (Status status = write_logits(*context, *tokens, context_args.n_batch, *file, bar); !status) {
    bar.clear();
    return report(status.error());
  }
  if (Status status = file->commit(); !status) return report(status.error());
  return kOk;
}

}  // namespace

void add_logits(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("logits", "Write the logits of a list of tokens");
  add_model_args(*command, args->model);
  command->add_option("--tokens", args->tokens, "JSON array of token ids (as `quern tokenize --json` prints)")
      ->type_name("FILE");
  command->add_option("-o,--out", args->out, "NumPy file to write: float32 [tokens, vocabulary]")->type_name("FILE");
  add_context_args(*command, args->context);
  add_adapter_args(*command, args->context.adapters);
  // The flag that the command is known by; -b means the same.
  command->add_option("--batch", args->context.n_batch, "Tokens of one pass; the logits do not depend on it (512)")
      ->type_name("N")
      ->check(CLI::Range(1, 65536));
  add_examples(*command,
               "  quern tokenize demo -p \"Hello world\" --bos --json > ids.json\n"
               "  quern logits demo --tokens ids.json --out logits.npy\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
