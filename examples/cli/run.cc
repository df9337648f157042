// quern run: one prompt, one answer.
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/files.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/model_args.h"
#include "examples/cli/remote.h"
#include "examples/cli/report.h"
#include "examples/cli/sampler_args.h"
#include "examples/cli/stored_settings.h"

namespace quern::cli {
namespace {

struct Args {
  ModelArgs model;
  ContextArgs context;
  SamplerArgs sampler;
  std::string prompt, file, system;
  std::vector<std::string> stop;
  int32_t n_predict = -1;
  bool has_prompt = false, raw = false, json = false;
  std::set<std::string> given;               ///< flags
  std::optional<store::StoredModel> stored;  ///< the model, where it is one of the store
  const CLI::App* command = nullptr;
};

Result<std::string> prompt_text(const Args& args) {
  if (!args.file.empty() || args.prompt == "-") {
    auto text = read_text(args.file.empty() ? "-" : args.file);
    // Editors and echo end a text with a newline that is not meant.
    if (text && !text->empty() && text->back() == '\n') text->pop_back();
    return text;
  }
  return args.prompt;
}

Result<std::vector<Token>> prompt_tokens(const Model& model, const Args& args, const std::string& prompt) {
  if (args.raw) return model.tokenizer().tokenize(prompt, {true, true});
  auto chat_template = template_for(model, args.stored);
  if (!chat_template) return chat_template.error();
  std::vector<ChatMessage> messages;
  if (!args.system.empty()) messages.push_back({"system", args.system});
  if (args.stored) {
    for (const auto& message : args.stored->messages) messages.push_back({message.role, message.content});
  }
  messages.push_back({"user", prompt});
  return chat_template->tokenize(messages);
}

void show(const Args& args, const Generation& generation) {
  if (args.json) {
    const nlohmann::ordered_json json = {{"tokens", generation.tokens},
                                         {"text", generation.text},
                                         {"stop_reason", stop_reason_name(generation.stop_reason)},
                                         {"timings", timings_json(generation.timings)}};
    print(dump(json));
    return;
  }
  if (generation.text.empty() || generation.text.back() != '\n') print("\n");
  if (generation.stop_reason == StopReason::context_full) note("quern: the context is full: make it larger with -c");
  if (args.model.verbose || (stderr_is_terminal() && stdout_is_terminal())) note(dim(timings_text(generation.timings)));
}

/// Finds the model, and takes over what the store knows of it.
Status prepare(Args& args) {
  auto found = find_model(args.model.model, args.model.offline);
  if (!found) return found.error();
  args.stored = std::move(found->stored);
  if (!args.stored) return {};
  const SettingsTarget target{args.model, args.context, args.sampler, args.n_predict, args.system, args.stop};
  if (Status status = apply_stored(*args.stored, args.given, target); !status) return status;
  if (args.raw) args.system.clear();
  return {};
}

/// The answer of a running server that has the model; nothing if there is none.
std::optional<int> run_on_server(const Args& args, const SamplerOptions& sampler) {
  const auto remote = RemoteModel::find(*args.command, args.model.model, args.sampler);
  if (!remote) return std::nullopt;
  const auto prompt = prompt_text(args);
  if (!prompt) return report(prompt.error());
  std::vector<ChatMessage> messages;
  if (!args.system.empty()) messages.push_back({"system", args.system});
  messages.push_back({"user", *prompt});
  GenerateOptions options;
  options.max_tokens = args.n_predict;
  options.sampler = sampler;
  options.stop = args.stop;
  options.cancel = catch_interrupts();
  options.on_token = [](const GeneratedToken& token) { return print(token.text); };
  const auto generation = args.raw ? remote->complete(*prompt, options) : remote->chat(messages, options);
  if (!generation) return report(generation.error());
  show(args, *generation);
  return finish_output(interrupts() > 0 ? kFailed : kOk);
}

int run(Args& args) {
  if (!args.has_prompt && args.file.empty()) {
    return report_usage("no prompt: give -p TEXT, -p - (standard input) or -f FILE; for a conversation: quern chat");
  }
  if (args.raw && !args.system.empty()) return report_usage("-sys needs the chat template, which --raw leaves out");
  const auto given = sampler_options(args.sampler);
  if (!given) return report(given.error());
  if (const auto code = run_on_server(args, *given)) return *code;
  if (Status status = prepare(args); !status) return report(status.error());
  auto sampler = sampler_options(args.sampler);
  if (!sampler) return report(sampler.error());
  auto prompt = prompt_text(args);
  if (!prompt) return report(prompt.error());
  auto model = open_model(args.model);
  if (!model) return report(model.error());
  auto context = create_context(*model, args.context);
  if (!context) return report(context.error());
  auto tokens = prompt_tokens(*model, args, *prompt);
  if (!tokens) return report(tokens.error());

  ProgressBar bar;
  GenerateOptions options;
  options.max_tokens = args.n_predict;
  options.sampler = *sampler;
  options.stop = args.stop;
  options.cancel = catch_interrupts();
  options.progress = [&bar](const Progress& progress) {
    bar.update(progress);
    return true;
  };
  options.on_token = [&](const GeneratedToken& token) {
    bar.clear();
    return args.json || print(token.text);
  };
  auto generation = generate(*context, *tokens, options);
  bar.clear();
  if (!generation) return report(generation.error());
  show(args, *generation);
  return finish_output(interrupts() > 0 ? kFailed : kOk);
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("run", "Answer one prompt");
  add_model_args(*command, args->model);
  command->add_option("-p,--prompt", args->prompt, "The prompt; - reads it from the standard input")->type_name("TEXT");
  command->add_option("-f,--file", args->file, "Read the prompt from a file")->type_name("FILE");
  command->add_option("--system-prompt", args->system, "-sys: system message of the chat template")->type_name("TEXT");
  command
      ->add_option("-n,--predict,--n-predict", args->n_predict, "Tokens to generate at most (-1: until the model ends)")
      ->type_name("N");
  command->add_flag("--raw", args->raw, "Continue the prompt as it is, without the chat template");
  command->add_option("--stop,-r,--reverse-prompt", args->stop, "Text that ends the answer; may be repeated")
      ->type_name("TEXT")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_flag("--json", args->json, "Print one JSON document: tokens, text, stop_reason, timings");
  add_context_args(*command, args->context);
  add_adapter_args(*command, args->context.adapters);
  add_sampler_args(*command, args->sampler);
  add_examples(*command,
               "  quern run demo -p \"What is the capital of France?\"\n"
               "  quern run model.gguf -p \"Write a poem about rain.\" -n 200 --temp 1.0 -s 42\n"
               "  quern run hf:unsloth/Qwen3-0.6B-GGUF:Q4_K_M -p \"Hello!\"   # downloaded the first time\n"
               "  git diff | quern run model.gguf -sys \"Summarize this change.\" -p -\n"
               "  quern run model.gguf --raw -p \"Once upon a time\" -n 64 --temp 0 --json\n");
  add_server_flag(*command);
  command->callback([args, command, &action] {
    args->command = command;
    args->has_prompt = command->count("--prompt") > 0;
    args->given = given_flags(*command);
    action = [args] { return run(*args); };
  });
}

}  // namespace quern::cli
