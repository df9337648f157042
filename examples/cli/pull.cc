// quern pull: downloads a model into the store.
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/model_source.h"
#include "examples/cli/report.h"

namespace quern::cli {
namespace {

struct Args {
  std::string model, as;
  bool offline = false, allow_http = false, json = false;
};

int run(const Args& args) {
  if (args.model.empty()) return report_usage("no model named, as in: quern pull hf:user/repo:Q4_K_M");
  const auto reference = store::Reference::parse(args.model);
  if (!reference) return report(reference.error());
  store::PullOptions options;
  options.offline = args.offline;
  options.allow_http = args.allow_http;
  if (!args.as.empty()) {
    const auto name = store::ModelName::parse(args.as);
    if (!name) return report(name.error());
    options.as = *name;
  }
  auto models = open_store();
  if (!models) return report(models.error());
  const auto pulled = pull_model(*models, *reference, options, args.json);
  if (!pulled) return report(pulled.error());
  if (args.json) {
    print(dump({{"name", pulled->name.text()},
                {"digest", pulled->digest},
                {"size", pulled->size_bytes},
                {"path", pulled->path}}));
  } else if (!reference->url.empty() || !args.as.empty()) {
    note("quern: stored as " + pulled->name.text());
  }
  return finish_output(kOk);
}

}  // namespace

void add_pull(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("pull", "Download a model into the store, or what has changed of it");
  command
      ->add_option("MODEL", args->model, "hf:user/repo[:QUANT], a name of Ollama's library, or the URL of a GGUF file")
      ->type_name("MODEL");
  command->add_option("--as", args->as, "Store it under this name")->type_name("NAME");
  command->add_flag("--offline", args->offline, "Only look whether it is there (also QUERN_OFFLINE=1)");
  command->add_flag("--allow-http", args->allow_http,
                    "Also unencrypted, from http:// addresses that are not this machine");
  command->add_flag("--json", args->json, "Print one JSON document: name, digest, size, path");
  add_examples(*command,
               "  quern pull hf:unsloth/Qwen3-0.6B-GGUF:Q4_K_M   # HF_TOKEN for what needs permission\n"
               "  quern pull hf:Qwen/Qwen3-0.6B                  # a folder of safetensors, run as it is\n"
               "  quern pull llama3.2:1b                         # from Ollama's library\n"
               "  quern pull https://example.com/files/tiny-Q4_K_M.gguf --as tiny\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
