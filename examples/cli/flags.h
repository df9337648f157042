// Flags as people know them from other tools: spellings CLI11 cannot parse, and hints for those that do not apply here.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace quern::cli {

/// The command line with one-dash flags of several letters ("-sys") turned into their long form.
std::vector<std::string> normalize(int argc, char** argv);

/// Why this flag is refused, for a message: a hint for known ones, else the likeliest that was meant.
std::string explain_unknown(const std::string& flag, const CLI::App& command);

}  // namespace quern::cli
