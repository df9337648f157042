// quern create: a model of the store from a Modelfile.
#include <filesystem>
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/files.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/model_source.h"
#include "examples/cli/transfer_bar.h"

namespace quern::cli {
namespace {

struct Args {
  std::string name, file = "Modelfile", quantize;
  bool offline = false, quiet = false;
};

/// FROM names a path, `demo` or a model; the latter is pulled where it is absent, as `run` does.
Status prepare_from(store::CreateSpec& spec, const Args& args) {
  std::error_code error;
  const std::filesystem::path path(spec.from);
  const bool here = std::filesystem::exists(path.is_absolute() ? path : spec.base / path, error);
  const auto reference = store::Reference::parse(spec.from);
  const bool like_path =
      spec.from[0] == '/' || spec.from[0] == '.' || spec.from[0] == '~' || path.extension() == ".gguf";
  if (here || !reference || (like_path && reference->url.empty())) return {};
  const auto found = find_model(spec.from, args.offline);
  if (!found) return Error{found.error().code, "FROM: " + found.error().message};
  if (!found->stored) spec.from = std::filesystem::absolute(found->path, error).string();
  return {};
}

int run(const Args& args) {
  if (args.name.empty()) return report_usage("no name for the new model: quern create NAME -f Modelfile");
  const auto name = store::ModelName::parse(args.name);
  if (!name) return report(name.error());
  const auto text = read_text(args.file);
  if (!text) return report(text.error());
  const auto modelfile = store::Modelfile::parse(*text, args.file == "-" ? "standard input" : args.file);
  if (!modelfile) return report(modelfile.error());
  for (const auto& [key, value] : modelfile->parameters) {
    if (!store::find_parameter(key)->used) note("quern: PARAMETER " + key + " is kept, but changes nothing here");
  }
  const auto base = args.file == "-" ? std::filesystem::path() : std::filesystem::path(args.file).parent_path();
  auto spec = store::CreateSpec::from_modelfile(*modelfile, base);
  if (!spec) return report(spec.error());
  spec->quantize = args.quantize;
  if (Status status = prepare_from(*spec, args); !status) return report(status.error());
  auto models = open_store();
  if (!models) return report(models.error());
  store::CreateOptions options;
  options.cancel = catch_interrupts();
  TransferBar bar;
  if (!args.quiet) {
    options.progress = [&bar](const store::TransferProgress& progress) {
      bar.update(progress);
      return true;
    };
  }
  const auto made = models->create(*name, *spec, options);
  bar.clear();
  return made ? kOk : report(made.error());
}

}  // namespace

void add_create(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("create", "Make a model of the store from a Modelfile");
  command->add_option("NAME", args->name, "The new model's name")->type_name("NAME");
  command->add_option("-f,--file", args->file, "The Modelfile (Modelfile); - is the standard input")->type_name("FILE");
  command->add_option("-q,--quantize", args->quantize, "Quantize the weights: a type of `quern quantize --list`")
      ->type_name("TYPE");
  command->add_flag("--quiet", args->quiet, "Do not tell how far it is");
  command->add_flag("--offline", args->offline, "Do not pull what FROM names (also QUERN_OFFLINE=1)");
  add_examples(*command,
               "  printf 'FROM llama3.2:1b\\nSYSTEM You answer in rhyme.\\nPARAMETER temperature 1\\n' > Modelfile\n"
               "  quern create poet && quern run poet -p \"What is a quern?\"\n"
               "  echo FROM ./Qwen3-0.6B | quern create qwen -f - -q Q4_K_M\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
