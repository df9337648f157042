// quern cp: a second name for a model of the store.
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/model_source.h"

namespace quern::cli {
namespace {

struct Args {
  std::string from, to;
};

int run(const Args& args) {
  if (args.from.empty() || args.to.empty()) return report_usage("expected two names: quern cp FROM TO");
  const auto from = store::Reference::parse(args.from);
  if (!from) return report(from.error());
  const auto to = store::ModelName::parse(args.to);
  if (!to) return report(to.error());
  auto models = open_store();
  if (!models) return report(models.error());
  const Status copied = models->copy(from->name, *to);
  return copied ? kOk : report(copied.error());
}

}  // namespace

void add_cp(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("cp", "Give a model of the store another name; takes no room");
  command->add_option("FROM", args->from, "A model of the store")->type_name("FROM");
  command->add_option("TO", args->to, "The new name")->type_name("TO");
  add_examples(*command, "  quern cp hf.co/user/repo:Q4_K_M mine\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
