// The flags that say on which processors the threads run.
#pragma once

#include <quern/runtime.h>

#include <CLI/CLI.hpp>
#include <string>

namespace quern::cli {

struct PlacementArgs {
  std::string mask, range;
  int strict = 0;

  bool given() const { return !mask.empty() || !range.empty() || strict != 0; }
};

void add_placement_args(CLI::App& command, PlacementArgs& args);

/// Sets the options' processors (those of the mask and of the range) and pin_threads.
Status place_threads(const PlacementArgs& args, RuntimeOptions& options);

}  // namespace quern::cli
