// quern check: whether a model file runs here, and what keeps it from doing so.
#include <quern/check.h>

#include <algorithm>
#include <memory>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/model_args.h"
#include "examples/cli/report.h"

namespace quern::cli {
namespace {

struct Args {
  ModelArgs model;
  ContextArgs context;
  bool json = false;
};

nlohmann::ordered_json problem_json(const CheckProblem& problem) {
  nlohmann::ordered_json json = {{"part", check_part_name(problem.part)},
                                 {"fatal", problem.fatal},
                                 {"code", errc_name(problem.error.code)},
                                 {"message", problem.error.message}};
  if (!problem.tensor.empty()) {
    json["tensor"] = problem.tensor;
    json["missing"] = problem.missing;
  }
  return json;
}

void print_json(const CheckReport& report) {
  nlohmann::ordered_json json = {{"path", report.path},
                                 {"runs", report.runs},
                                 {"opens", report.opens},
                                 {"backend", report.backend},
                                 {"format", report.format},
                                 {"architecture", report.architecture},
                                 {"architecture_known", report.architecture_known},
                                 {"file_type", report.file_type},
                                 {"tokenizer", report.tokenizer},
                                 {"pretokenizer", report.pretokenizer},
                                 {"tokenizer_known", report.tokenizer_known},
                                 {"chat_template", report.has_chat_template},
                                 {"n_problems", report.n_problems}};
  auto& problems = json["problems"] = nlohmann::ordered_json::array();
  for (const CheckProblem& problem : report.problems) problems.push_back(problem_json(problem));
  json["tensors"] = {{"in_file", report.n_tensors},
                     {"n_unused", report.n_unused},
                     {"unused", report.unused},
                     {"skipped_layers", report.n_skipped_layers},
                     {"n_skipped", report.n_skipped}};
  json["memory"] = {{"n_ctx", report.n_ctx},
                    {"file_bytes", report.file_bytes},
                    {"weight_bytes", report.weight_bytes},
                    {"cache_bytes", report.cache_bytes},
                    {"buffer_bytes", report.buffer_bytes},
                    {"needed_bytes", report.needed_bytes},
                    {"available_bytes", report.available_bytes}};
  print(dump(json));
}

/// What a file says, for one line of a terminal.
std::string shown(const std::string& text) {
  constexpr size_t kWidth = 80;
  std::string out;
  for (const char c : text.substr(0, kWidth)) out += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
  return text.size() > kWidth ? out + "..." : out;
}

void line(const char* name, const std::string& value) {
  std::string text = name;
  text.resize(14, ' ');
  print(text + value + "\n");
}

void print_tensors(const CheckReport& report) {
  line("tensors", std::to_string(report.n_tensors) + ", mostly " + report.file_type);
  if (report.n_skipped_layers > 0) {
    line("skipped", std::to_string(report.n_skipped_layers) + " extra layers that predict further tokens (" +
                        std::to_string(report.n_skipped) + " tensors)");
  }
  if (report.n_unused == 0) return;
  constexpr size_t kShown = 4;
  std::string names;
  for (size_t i = 0; i < report.unused.size() && i < kShown; ++i)
    names += (i > 0 ? ", " : "") + shown(report.unused[i]);
  line("not used", std::to_string(report.n_unused) + ": " + names + (report.n_unused > kShown ? ", ..." : ""));
}

void print_memory(const CheckReport& report) {
  if (report.needed_bytes == 0) return;
  line("memory", bytes_text(report.needed_bytes) + " needed: weights " + bytes_text(report.weight_bytes) +
                     ", a context of " + std::to_string(report.n_ctx) + " tokens " + bytes_text(report.cache_bytes) +
                     ", buffers " + bytes_text(report.buffer_bytes));
  if (report.available_bytes > 0) line("", bytes_text(report.available_bytes) + " available");
}

void print_text(const CheckReport& report) {
  line("file", report.path + (report.format.empty() ? "" : ": " + report.format));
  if (!report.format.empty()) {
    line("architecture", shown(report.architecture) + (report.architecture_known ? "" : ": not supported"));
    line("tokenizer", shown(report.tokenizer) +
                          (report.pretokenizer.empty() ? "" : ", pre-tokenizer " + shown(report.pretokenizer)) +
                          (report.tokenizer_known ? "" : ": not usable"));
    line("chat template", report.has_chat_template ? "there is one" : "none: ChatML is used");
    print_tensors(report);
    print_memory(report);
  }
  constexpr size_t kShown = 16;
  const size_t n = std::min(report.problems.size(), kShown);
  for (size_t i = 0; i < n; ++i)
    line(report.problems[i].fatal ? "PROBLEM" : "warning", report.problems[i].error.message);
  if (report.n_problems > n)
    line("", "and " + std::to_string(report.n_problems - n) + " more; --json has up to 64 of tensors");
  print((report.runs ? "runs here, on " : "does not run here, on ") + report.backend + "\n");
}

int run(const Args& args) {
  auto path = resolve_model(args.model.model, args.model.offline);
  if (!path) return report(path.error());
  auto runtime = create_runtime(args.model);
  if (!runtime) return report(runtime.error());
  CheckOptions options;
  options.runtime = *runtime;
  options.use_mmap = !args.model.no_mmap;
  options.repack = !args.model.no_repack;
  options.quantize = args.model.quantize;
  options.double_quant = args.model.double_quant;
  auto context = context_options(args.context);
  if (!context) return report(context.error());
  options.context = *context;
  const auto checked = check_model(*path, options);
  if (!checked) return report(checked.error());
  if (args.json) {
    print_json(*checked);
  } else {
    print_text(*checked);
  }
  return finish_output(checked->runs ? kOk : kFailed);
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("check", "Say whether a model runs here, without loading it");
  add_model_args(*command, args->model);
  add_context_args(*command, args->context);
  command->add_flag("--json", args->json, "Print one JSON document with everything");
  add_examples(*command,
               "  quern check model.gguf -c 8192 && quern chat model.gguf -c 8192\n"
               "  quern check model.gguf --json | jq .problems\n"
               "Memory is counted for a context of 4096 tokens at most where -c does not say otherwise.\n"
               "Exit code: 0 if the model runs, 1 if not.\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
