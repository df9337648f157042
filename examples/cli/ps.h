// The subcommands that ask a running server.
#pragma once

#include "examples/cli/command.h"

namespace quern::cli {

void add_ps(CLI::App& app, Action& action);
void add_stop(CLI::App& app, Action& action);

}  // namespace quern::cli
