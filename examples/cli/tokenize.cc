// quern tokenize: text to token ids.
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/files.h"
#include "examples/cli/model_args.h"
#include "examples/cli/report.h"

namespace quern::cli {
namespace {

struct Args {
  ModelArgs model;
  std::string prompt, file;
  bool has_prompt = false, special = false, bos = false, json = false;
};

int run(const Args& args) {
  if (!args.has_prompt && args.file.empty())
    return report_usage("no text: give -p TEXT, -p - (standard input) or -f FILE");
  Result<std::string> text(args.prompt);
  if (!args.file.empty() || args.prompt == "-") text = read_text(args.file.empty() ? "-" : args.file);
  if (!text) return report(text.error());
  auto model = open_model(args.model, true);
  if (!model) return report(model.error());
  const Tokenizer& tokenizer = model->tokenizer();
  const auto tokens = tokenizer.tokenize(*text, {args.bos, args.special});
  if (args.json) {
    print(dump(tokens));
    return finish_output(kOk);
  }
  for (const Token token : tokens) {
    // Quoted and escaped as JSON does it, so that every token takes one line.
    print(std::to_string(token) + "\t" + dump(tokenizer.piece(token, true)));
  }
  if (args.model.verbose) note(std::to_string(tokens.size()) + " tokens");
  return finish_output(kOk);
}

}  // namespace

void add_tokenize(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("tokenize", "Show the tokens of a text");
  add_model_args(*command, args->model, false);
  command->add_option("-p,--prompt", args->prompt, "The text; - reads it from the standard input")->type_name("TEXT");
  command->add_option("-f,--file", args->file, "Read the text from a file")->type_name("FILE");
  command->add_flag("--special", args->special, "Read control tokens written out in the text, such as <|im_end|>");
  command->add_flag("--bos", args->bos, "Add BOS and EOS where the model asks for them");
  command->add_flag("--json", args->json, "Print an array of ids");
  add_examples(
      *command,
      "  quern tokenize demo -p \"Hello world\"\n"
      "  quern tokenize model.gguf -f book.txt --json > ids.json\n"
      "  quern tokenize Qwen3-0.6B/ -p Hello   (a folder with tokenizer.json, or a tokenizer's file itself)\n");
  command->callback([args, command, &action] {
    args->has_prompt = command->count("--prompt") > 0;
    action = [args] { return run(*args); };
  });
}

}  // namespace quern::cli
