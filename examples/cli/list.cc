// quern list: the models of the store.
#include <algorithm>
#include <chrono>
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/model_source.h"
#include "examples/cli/report.h"
#include "examples/cli/stored_text.h"

namespace quern::cli {
namespace {

struct Args {
  std::string filter;
  bool json = false;
};

std::string age_text(int64_t modified_ns) {
  const int64_t now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const int64_t seconds = std::max<int64_t>(0, (now - modified_ns) / 1'000'000'000);
  constexpr std::pair<int64_t, const char*> kUnits[] = {{365 * 86'400, "year"}, {30 * 86'400, "month"},
                                                        {7 * 86'400, "week"},   {86'400, "day"},
                                                        {3'600, "hour"},        {60, "minute"}};
  for (const auto& [length, name] : kUnits) {
    const int64_t n = seconds / length;
    if (n > 0) return std::to_string(n) + " " + name + (n > 1 ? "s" : "") + " ago";
  }
  return "just now";
}

void print_table(const std::vector<store::Entry>& entries) {
  std::vector<std::vector<std::string>> rows = {{"NAME", "ID", "SIZE", "TYPE", "MODIFIED"}};
  for (const auto& entry : entries) {
    const std::string type = entry.details.parameter_size + (entry.details.parameter_size.empty() ? "" : " ") +
                             entry.details.quantization_level;
    rows.push_back({entry.name.text(), entry.digest.substr(0, 12), bytes_text(entry.size_bytes), type,
                    age_text(entry.modified_ns)});
  }
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 3, ' ');
    }
    print(line + "\n");
  }
}

int run(const Args& args) {
  const auto models = open_store();
  if (!models) return report(models.error());
  std::vector<std::string> problems;
  auto entries = models->list(&problems);
  if (!entries) return report(entries.error());
  for (const auto& problem : problems) note("quern: " + problem);
  std::erase_if(*entries, [&](const store::Entry& entry) { return entry.name.text().rfind(args.filter, 0) != 0; });
  if (args.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const auto& entry : *entries) list.push_back(entry_json(entry));
    print(dump({{"models", list}}));
  } else {
    print_table(*entries);
  }
  return finish_output(kOk);
}

}  // namespace

void add_list(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("list", "List the models of the store");
  command->alias("ls");
  command->add_option("PREFIX", args->filter, "Only names that begin so")->type_name("PREFIX");
  command->add_flag("--json", args->json, "Print one JSON document: models, as of Ollama's /api/tags");
  add_examples(*command, "  quern list\n  quern ls hf.co/\n  quern list --json | jq -r '.models[].name'\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
