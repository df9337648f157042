// The flags that name adapters: --lora and --lora-scaled.
#pragma once

#include <quern/quern.h>

#include <CLI/CLI.hpp>
#include <string>
#include <utility>
#include <vector>

namespace quern::cli {

struct AdapterArgs {
  std::vector<std::string> lora, lora_scaled;
  bool empty() const { return lora.empty() && lora_scaled.empty(); }
};

/// `also`: another name of --lora.
void add_adapter_args(CLI::App& command, AdapterArgs& args, const std::string& also = {});
/// FILE:SCALE. Errc::argument where it is not of this form.
Result<std::pair<std::string, float>> scaled_adapter(const std::string& argument);
/// Paths and scales, those of --lora-scaled last.
Result<std::vector<std::pair<std::string, float>>> named_adapters(const AdapterArgs& args);
/// Opens them for a model, in that order.
Result<std::vector<AdapterUse>> open_adapters(const Model& model, const AdapterArgs& args);

}  // namespace quern::cli
