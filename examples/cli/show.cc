// quern show: a model's card, or one of its parts.
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/model_source.h"
#include "examples/cli/report.h"
#include "examples/cli/stored_text.h"

namespace quern::cli {
namespace {

struct Args {
  std::string model;
  bool modelfile = false, parameters = false, tmpl = false, system = false, license = false, json = false;
};

std::string joined(const std::vector<std::string>& texts, const char* separator) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : separator) + text;
  return out;
}

void print_text(const std::string& text) {
  print(text);
  if (!text.empty() && text.back() != '\n') print("\n");
}

/// The first line that says something, of what may be long.
std::string first_line(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return {};
  std::string line = text.substr(begin, text.find_first_of("\r\n", begin) - begin);
  constexpr size_t kWidth = 90;
  if (line.size() <= kWidth) return line;
  size_t end = kWidth;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  return line.substr(0, end) + "...";
}

/// Which template a conversation is written with.
std::string template_used(const store::StoredModel& model, const store::Card& card) {
  if (store::is_jinja(model.tmpl)) return "TEMPLATE of the Modelfile (Jinja)";
  const std::string own = card.chat_template.empty() ? "ChatML, as the file has none" : "the file's own (Jinja)";
  return model.tmpl.empty() ? own : own + "; TEMPLATE is a Go template, for Ollama";
}

void print_card(const store::StoredModel& model, const store::Card& card) {
  const auto line = [](const std::string& name, const std::string& value) {
    std::string start = "  " + name;
    start.resize(std::max<size_t>(start.size() + 2, 24), ' ');
    if (!value.empty()) print(start + value + "\n");
  };
  const auto number = [](uint64_t n) { return n > 0 ? std::to_string(n) : std::string(); };
  print("Model\n");
  line("name", model.name.text());
  line("architecture", card.architecture);
  line("parameters", card.n_parameters > 0 ? count_text(card.n_parameters) : model.details.parameter_size);
  line("context length", number(card.context_length));
  line("embedding length", number(card.embedding_length));
  line("quantization", card.quantization);
  line("template", template_used(model, card));
  line("size", bytes_text(model.size_bytes));
  line("id", model.digest.substr(0, 12));
  line("modified", time_text(model.modified_ns));
  line("made from", model.details.parent_model);
  line("source", model.source);
  line("requires", model.requires_version);
  line("file", model.path);
  for (const auto& adapter : model.adapters) line("adapter", adapter);
  print("\nCapabilities\n");
  for (const auto& capability : card.capabilities) print("  " + capability + "\n");
  if (!model.parameters.empty()) print("\nParameters\n");
  for (const auto& [name, value] : model.parameters) {
    const auto* info = store::find_parameter(name);
    line(name, first_line(value) + (info == nullptr || !info->used ? "  (not used)" : ""));
  }
  if (!model.system.empty()) print("\nSystem\n  " + first_line(model.system) + "\n");
  for (const auto& license : model.licenses) print("\nLicense\n  " + first_line(license) + "\n");
}

/// As of /api/show.
int print_json(const store::StoredModel& model, const store::Card& card) {
  nlohmann::ordered_json out;
  const auto modelfile = model.modelfile();
  out["name"] = model.name.text();
  out["license"] = joined(model.licenses, "\n");
  out["modelfile"] = modelfile ? *modelfile : std::string();
  out["parameters"] = store::parameters_text(model.parameters);
  out["template"] = model.tmpl;
  out["system"] = model.system;
  out["details"] = details_json(model.details);
  auto& messages = out["messages"] = nlohmann::ordered_json::array();
  for (const auto& message : model.messages) messages.push_back({{"role", message.role}, {"content", message.content}});
  out["model_info"] = nlohmann::ordered_json::parse(card.model_info_json, nullptr, false);
  out["capabilities"] = card.capabilities;
  out["modified_at"] = time_text(model.modified_ns);
  out["digest"] = model.digest;
  out["size"] = model.size_bytes;
  out["path"] = model.path;
  out["adapters"] = model.adapters;
  if (!model.requires_version.empty()) out["requires"] = model.requires_version;
  if (!model.source.empty()) out["source"] = model.source;
  print(dump(out));
  return finish_output(kOk);
}

int run(const Args& args) {
  if (args.model.empty()) return report_usage("no model named; quern list shows what is there");
  if (args.modelfile + args.parameters + args.tmpl + args.system + args.license + args.json > 1) {
    return report_usage("only one of --modelfile, --parameters, --template, --system, --license and --json");
  }
  const auto name = store::ModelName::parse(args.model);
  if (!name) return report(name.error());
  const auto models = open_store();
  if (!models) return report(models.error());
  const auto model = models->find(*name);
  if (!model) return report(model.error());
  if (args.modelfile) {
    const auto text = model->modelfile();
    if (!text) return report(text.error());
    print_text(*text);
  } else if (args.parameters) {
    print_text(store::parameters_text(model->parameters));
  } else if (args.system) {
    print_text(model->system);
  } else if (args.license) {
    print_text(joined(model->licenses, "\n"));
  } else if (args.tmpl && !model->tmpl.empty()) {
    print_text(model->tmpl);
  } else {
    const auto card = models->card(*model);
    if (!card) return report(card.error());
    if (args.json) return print_json(*model, *card);
    if (args.tmpl) {
      print_text(card->chat_template);
    } else {
      print_card(*model, *card);
    }
  }
  return finish_output(kOk);
}

}  // namespace

void add_show(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("show", "Show what is known of a model of the store");
  command->add_option("MODEL", args->model, "Its name")->type_name("MODEL");
  command->add_flag("--modelfile", args->modelfile, "Its Modelfile, to make another one from");
  command->add_flag("--parameters", args->parameters, "Its parameters alone");
  command->add_flag("--template", args->tmpl, "Its TEMPLATE, or else the chat template of its file");
  command->add_flag("--system", args->system, "Its system message alone");
  command->add_flag("--license", args->license, "Its licence alone");
  command->add_flag("--json", args->json, "Print one JSON document with everything, as of Ollama's /api/show");
  add_examples(*command, "  quern show llama3.2:1b\n  quern show llama3.2:1b --modelfile > Modelfile\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
