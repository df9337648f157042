// quern rm: takes models out of the store.
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/model_source.h"

namespace quern::cli {
namespace {

struct Args {
  std::vector<std::string> models;
  bool unused = false;
};

void tell(const std::string& what, const store::Removed& removed) {
  note("quern: " + what + ", " + bytes_text(removed.bytes) + " freed");
}

int run(const Args& args) {
  if (args.models.empty() && !args.unused) return report_usage("no model named; quern list shows what is there");
  auto models = open_store();
  if (!models) return report(models.error());
  int code = kOk;
  for (const auto& text : args.models) {
    const auto reference = store::Reference::parse(text);
    if (!reference) return report(reference.error());
    const auto removed = models->remove(reference->name);
    if (removed) {
      tell("deleted " + reference->name.text(), *removed);
    } else {
      code = report(removed.error());
    }
  }
  if (args.unused) {
    const auto removed = models->prune();
    if (!removed) return report(removed.error());
    tell("deleted what no model uses", *removed);
  }
  return code;
}

}  // namespace

void add_rm(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("rm", "Delete models of the store, and the files that no other model uses");
  command->add_option("MODEL", args->models, "Their names")->type_name("MODEL...");
  command->add_flag("--unused", args->unused, "Delete files without a model and unfinished downloads");
  add_examples(*command, "  quern rm llama3.2:1b\n  quern rm --unused\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
