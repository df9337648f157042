// quern: the command line.
#include <quern/version.h>

#include <algorithm>
#include <exception>
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/flags.h"
#include "examples/cli/ps.h"

namespace quern::cli {

int report(const Error& error) {
  note("quern: " + error.message);
  return error.code == Errc::argument ? kUsage : kFailed;
}

int report_usage(const std::string& message) {
  note("quern: " + message);
  note("quern: --help shows the flags");
  return kUsage;
}

namespace {

/// CLI11's layout, but what stands without a flag is shown as its type name says, "[OUT] TYPE", and not by that and a
/// second name before it.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_usage(const CLI::Option* option) const override {
    const std::string words = option->get_type_name();
    if (words.empty()) return CLI::Formatter::make_option_usage(option);
    return option->get_required() || words.find('[') != std::string::npos ? words : "[" + words + "]";
  }
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    if (!is_positional || option->get_type_name().empty()) return CLI::Formatter::make_option(option, is_positional);
    std::string line = "  " + option->get_type_name();
    line.resize(std::max(line.size() + 2, get_column_width()), ' ');
    return line + option->get_description() + "\n";
  }
};

int run(int argc, char** argv) {
  CLI::App app("Runs large language models (GGUF files) on this computer's CPU.", "quern");
  app.set_version_flag("--version", std::string("quern ") + version());
  app.formatter(std::make_shared<HelpFormatter>());
  app.require_subcommand(0, 1);
  app.footer(
      "Start here:\n"
      "  quern run demo -p \"What is the capital of France?\"    one answer, from the model that comes with Quern\n"
      "  quern chat demo                                       a conversation\n"
      "  quern chat path/to/model.gguf                         the same with a model of yours\n"
      "`quern COMMAND --help` explains a command and shows examples. Data goes to stdout, everything else to stderr;\n"
      "--json prints one document. Exit codes: 0 done, 1 failed, 2 wrong usage.\n");
  Action action;
  add_run(app, action);
  add_chat(app, action);
  add_tokenize(app, action);
  add_logits(app, action);
  add_perplexity(app, action);
  add_embed(app, action);
  add_bench(app, action);
  add_imatrix(app, action);
  add_inspect(app, action);
  add_check(app, action);
  add_quantize(app, action);
  add_convert(app, action);
  add_serve(app, action);
  add_pull(app, action);
  add_list(app, action);
  add_show(app, action);
  add_create(app, action);
  add_cp(app, action);
  add_rm(app, action);
  add_ps(app, action);
  add_stop(app, action);
  for (CLI::App* command : app.get_subcommands({})) command->allow_extras();
  app.allow_extras();

  auto words = normalize(argc, argv);
  if (words.empty()) {
    note(app.help());
    return kUsage;
  }
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    print(chosen.empty() ? app.help() : chosen[0]->help("quern"));
    return finish_output(kOk);
  } catch (const CLI::CallForVersion& version_text) {
    print(std::string(version_text.what()) + "\n");
    return finish_output(kOk);
  } catch (const CLI::ParseError& error) {
    return report_usage(error.what());
  }
  const auto chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen[0];
  for (const auto& extra : command.remaining()) {
    if (chosen.empty() && extra[0] != '-') return report_usage("unknown command '" + extra + "'");
    return report_usage(explain_unknown(extra, command));
  }
  return action ? action() : report_usage("no command given");
}

}  // namespace
}  // namespace quern::cli

int main(int argc, char** argv) {
  try {
    return quern::cli::run(argc, argv);
  } catch (const std::exception& error) {
    quern::cli::note(std::string("quern: ") + error.what());
    return quern::cli::kFailed;
  }
}
