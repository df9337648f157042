// quern chat: a conversation on the terminal, or line by line through pipes.
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/files.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/line_reader.h"
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
  int32_t n_predict = -1;
  bool single_turn = false;
  std::vector<std::string> stop;
  std::set<std::string> given;  ///< flags
  const CLI::App* command = nullptr;
};

constexpr const char* kHelp =
    "  /undo    take back the last question and its answer\n"
    "  /regen   answer the last question again\n"
    "  /clear   forget the conversation, keep the system message\n"
    "  /exit    leave (so does Ctrl-D)\n"
    "  A line that ends with \\ goes on in the next one. Ctrl-C stops an answer.";

class Chat {
 public:
  Chat(std::unique_ptr<Conversation> session, SamplerOptions sampler, const Args& args)
      : session_(std::move(session)), sampler_(std::move(sampler)), args_(args) {}

  /// The conversation until its end; the exit code.
  int run() {
    if (stdin_is_terminal()) note(dim("/help for commands, Ctrl-C stops an answer, Ctrl-D leaves"));
    if (!first_message().empty()) {
      const int code = answer(first_message());
      if (args_.single_turn || code != kOk) return code;
    }
    while (true) {
      if (leaving_) return kOk;
      std::string message;
      if (!read_message(message)) return kOk;
      if (message.empty()) continue;
      const int code = message[0] == '/' ? obey(message) : answer(message);
      if (code != kOk) return code;
      if (args_.single_turn && message[0] != '/') return kOk;
    }
  }

 private:
  const std::string& first_message() const { return args_.prompt; }

  /// A line from the user, or several joined by a backslash at the end. False: the end.
  bool read_message(std::string& message) {
    std::string line;
    const char* prompt = "> ";
    while (true) {
      if (stdin_is_terminal()) {
        std::fputs(bold(prompt).c_str(), stderr);
        std::fflush(stderr);
      }
      const auto event = reader_.read(line);
      if (event == LineReader::Event::end) {
        if (stdin_is_terminal()) note("");
        return !message.empty();
      }
      if (event == LineReader::Event::interrupted) {
        note("");
        if (interrupts() >= 2) return false;
        note(dim("Ctrl-C once more, or /exit, to leave"));
        message.clear();
        prompt = "> ";
        continue;
      }
      const bool more = !line.empty() && line.back() == '\\';
      if (more) line.back() = '\n';
      message += line;
      if (!more) return true;
      prompt = "... ";
    }
  }

  int answer(const std::string& message) {
    forget_interrupts();
    ProgressBar bar;
    GenerateOptions options;
    options.max_tokens = args_.n_predict;
    options.sampler = sampler_;
    options.stop = args_.stop;
    options.cancel = catch_interrupts(3);
    options.progress = [&bar](const Progress& progress) {
      bar.update(progress);
      return true;
    };
    options.on_token = [&bar](const GeneratedToken& token) {
      bar.clear();
      return print(token.text);
    };
    const auto generation = session_->send(message, options);
    bar.clear();
    if (!generation) {
      const int code = report(generation.error());
      // Too long for the context: the conversation goes on without the message.
      if (generation.error().code != Errc::context_full) return code;
      note("quern: the conversation no longer fits: /undo, /clear, or start with a larger -c");
      return stdin_is_terminal() ? kOk : kFailed;
    }
    print("\n");
    switch (generation->stop_reason) {
      case StopReason::cancelled:
        note(dim("(stopped)"));
        break;
      case StopReason::context_full:
        note("quern: the context is full: /clear, or start with a larger -c");
        break;
      default:
        break;
    }
    if (args_.model.verbose) note(dim(timings_text(generation->timings)));
    leaving_ = interrupts() >= 2;
    drain_interrupt_fd();  // a press that stopped the answer is not one at the next prompt
    return finish_output(kOk);
  }

  int obey(const std::string& line) {
    const std::string command = line.substr(0, line.find(' '));
    if (command == "/exit" || command == "/quit" || command == "/bye") {
      leaving_ = true;
    } else if (command == "/clear") {
      session_->clear();
      note(dim("(forgotten)"));
    } else if (command == "/undo") {
      session_->undo();
      note(dim("(" + std::to_string(session_->messages().size()) + " messages left)"));
    } else if (command == "/regen") {
      return regenerate();
    } else if (command == "/help") {
      note(kHelp);
    } else {
      note("unknown command " + command + "; these are known:\n" + kHelp);
    }
    return kOk;
  }

  int regenerate() {
    std::string question;
    for (const auto& message : session_->messages()) {
      if (message.role == "user") question = message.content;
    }
    if (question.empty()) {
      note("there is no question yet");
      return kOk;
    }
    session_->undo();
    if (sampler_.seed != 0xFFFFFFFF) ++sampler_.seed;  // another answer, yet a repeatable one
    return answer(question);
  }

  std::unique_ptr<Conversation> session_;
  SamplerOptions sampler_;
  const Args& args_;
  LineReader reader_;
  bool leaving_ = false;
};

/// Finds the model, and takes over what the store knows of it.
Status prepare(Args& args) {
  const auto found = find_model(args.model.model, args.model.offline);
  if (!found) return found.error();
  if (!found->stored) return {};
  const auto& stored = *found->stored;
  if (store::is_jinja(stored.tmpl))
    note("quern: chat uses the template of the model's file, not the Modelfile's TEMPLATE");
  if (!stored.messages.empty()) note("quern: chat begins without the Modelfile's MESSAGEs");
  const SettingsTarget target{args.model, args.context, args.sampler, args.n_predict, args.system, args.stop};
  return apply_stored(stored, args.given, target);
}

int run(Args& args) {
  if (!args.file.empty()) {
    auto text = read_text(args.file);
    if (!text) return report(text.error());
    args.prompt = *text;
  }
  auto given = sampler_options(args.sampler);
  if (!given) return report(given.error());
  if (auto remote = RemoteModel::find(*args.command, args.model.model, args.sampler)) {
    catch_interrupts(3);
    auto conversation = converse(std::move(*remote), args.system);
    return finish_output(Chat(std::move(conversation), std::move(*given), args).run());
  }
  if (Status status = prepare(args); !status) return report(status.error());
  auto sampler = sampler_options(args.sampler);
  if (!sampler) return report(sampler.error());
  auto model = open_model(args.model);
  if (!model) return report(model.error());
  auto context = create_context(*model, args.context);
  if (!context) return report(context.error());
  auto session = ChatSession::create(std::move(*context), args.system);
  if (!session) return report(session.error());
  catch_interrupts(3);
  return finish_output(Chat(converse(std::move(*session)), std::move(*sampler), args).run());
}

}  // namespace

void add_chat(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("chat", "Hold a conversation");
  add_model_args(*command, args->model);
  command->add_option("--system-prompt", args->system, "-sys: system message")->type_name("TEXT");
  command->add_option("-p,--prompt", args->prompt, "The first message")->type_name("TEXT");
  command->add_option("-f,--file", args->file, "Read the first message from a file")->type_name("FILE");
  command->add_flag("--single-turn", args->single_turn, "-st: end after one answer");
  command
      ->add_option("-n,--predict,--n-predict", args->n_predict,
                   "Tokens of an answer at most (-1: until the model ends)")
      ->type_name("N");
  add_context_args(*command, args->context);
  add_adapter_args(*command, args->context.adapters);
  add_sampler_args(*command, args->sampler);
  add_examples(*command,
               "  quern chat demo\n"
               "  quern chat model.gguf -sys \"Answer in one sentence.\" -c 8192 --temp 0.6\n"
               "  printf 'Hello!\\nWho are you?\\n' | quern chat demo --temp 0\n");
  add_server_flag(*command);
  command->callback([args, command, &action] {
    args->command = command;
    args->given = given_flags(*command);
    action = [args] { return run(*args); };
  });
}

}  // namespace quern::cli
