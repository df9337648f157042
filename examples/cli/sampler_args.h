// The flags that choose tokens, with the ecosystem's names and defaults.
#pragma once

#include <quern/sampler.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace quern::cli {

struct SamplerArgs {
  SamplerOptions options;
  int64_t seed = -1;
  std::string samplers;
  std::vector<std::string> logit_bias;
  std::vector<std::string> breakers;
};

void add_sampler_args(CLI::App& command, SamplerArgs& args);

/// Errc::argument names the flag that makes no sense.
Result<SamplerOptions> sampler_options(const SamplerArgs& args);

}  // namespace quern::cli
