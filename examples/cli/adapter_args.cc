#include "examples/cli/adapter_args.h"

#include <charconv>
#include <cmath>

namespace quern::cli {

void add_adapter_args(CLI::App& command, AdapterArgs& args, const std::string& also) {
  command
      .add_option(also.empty() ? "--lora" : "--lora," + also, args.lora,
                  "Low-rank adapter: a GGUF file or a PEFT folder; may be repeated, or a list with commas")
      ->type_name("FILE")
      ->delimiter(',')
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--lora-scaled", args.lora_scaled, "The same with a scale: how much of it counts")
      ->type_name("FILE:SCALE")
      ->delimiter(',')
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

Result<std::pair<std::string, float>> scaled_adapter(const std::string& argument) {
  const size_t colon = argument.rfind(':');
  float scale = 0;
  const char* const end = argument.data() + argument.size();
  const bool form = colon != std::string::npos && colon > 0;
  const auto parsed = form ? std::from_chars(argument.data() + colon + 1, end, scale) : std::from_chars_result{};
  if (!form || parsed.ec != std::errc() || parsed.ptr != end || !std::isfinite(scale))
    return Error{Errc::argument, "--lora-scaled " + argument + ": expected FILE:SCALE, as in tone.gguf:0.5"};
  return std::pair(argument.substr(0, colon), scale);
}

Result<std::vector<std::pair<std::string, float>>> named_adapters(const AdapterArgs& args) {
  std::vector<std::pair<std::string, float>> out;
  for (const std::string& path : args.lora) out.emplace_back(path, 1.0f);
  for (const std::string& argument : args.lora_scaled) {
    auto scaled = scaled_adapter(argument);
    if (!scaled) return scaled.error();
    out.push_back(std::move(*scaled));
  }
  return out;
}

Result<std::vector<AdapterUse>> open_adapters(const Model& model, const AdapterArgs& args) {
  const auto wanted = named_adapters(args);
  if (!wanted) return wanted.error();
  std::vector<AdapterUse> out;
  for (const auto& [path, scale] : *wanted) {
    auto adapter = Adapter::open(model, path);
    if (!adapter) return adapter.error();
    out.push_back({std::move(*adapter), scale});
  }
  return out;
}

}  // namespace quern::cli
