// What the subcommands have in common: how one is added, and how it ends.
#pragma once

#include <quern/result.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace quern::cli {

inline constexpr int kOk = 0, kFailed = 1, kUsage = 2;

/// What to run after parsing; returns the exit code.
using Action = std::function<int()>;

// Each adds its subcommand, and sets `action` when it was chosen. One file each.
void add_run(CLI::App& app, Action& action);
void add_chat(CLI::App& app, Action& action);
void add_tokenize(CLI::App& app, Action& action);
void add_logits(CLI::App& app, Action& action);
void add_perplexity(CLI::App& app, Action& action);
void add_embed(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_imatrix(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_quantize(CLI::App& app, Action& action);
void add_convert(CLI::App& app, Action& action);
void add_serve(CLI::App& app, Action& action);
void add_pull(CLI::App& app, Action& action);
void add_list(CLI::App& app, Action& action);
void add_show(CLI::App& app, Action& action);
void add_create(CLI::App& app, Action& action);
void add_cp(CLI::App& app, Action& action);
void add_rm(CLI::App& app, Action& action);

/// "quern: message" on stderr; the exit code for this error.
int report(const Error& error);
/// The same for a command line that makes no sense.
int report_usage(const std::string& message);

/// Examples at the end of a command's help.
inline void add_examples(CLI::App& command, const std::string& text) { command.footer("Examples:\n" + text); }

}  // namespace quern::cli
