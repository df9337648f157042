#include "examples/cli/quantize_report.h"

#include <cstdio>
#include <exception>
#include <utility>

#include "examples/cli/console.h"

namespace quern::cli {
namespace {

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string out;
  for (const uint64_t length : shape) out += (out.empty() ? "" : " x ") + std::to_string(length);
  return out;
}

}  // namespace

void note_tensors(const QuantizeResult& result) {
  for (size_t i = 0; i < result.tensors.size(); ++i) {
    const QuantizedTensor& tensor = result.tensors[i];
    char line[256];
    std::snprintf(line, sizeof line, "[%4zu/%4zu] %-36s %18s  %-6s -> %-7s %9s -> %9s", i + 1, result.tensors.size(),
                  tensor.name.c_str(), shape_text(tensor.shape).c_str(), tensor.from.c_str(), tensor.to.c_str(),
                  bytes_text(tensor.from_bytes).c_str(), bytes_text(tensor.to_bytes).c_str());
    note(line + (tensor.reason.empty() ? "" : "  " + tensor.reason));
  }
}

void note_fallbacks(const QuantizeResult& result) {
  for (const QuantizedTensor& tensor : result.tensors) {
    if (tensor.fallback.empty()) continue;
    note("tensor " + tensor.name + ": rows of " + std::to_string(tensor.shape[0]) + " do not fit " + tensor.fallback +
         ", " + tensor.to + " instead");
  }
}

void print_quality(const Comparison& quality) {
  note("how far it is from its source, over " + std::to_string(quality.n_tokens) + " tokens:");
  print("mean KL divergence  " + fixed(quality.kl_divergence, 6) + " +/- " + fixed(quality.kl_divergence_stderr, 6) +
        "\n");
  print("same first choice   " + fixed(100 * quality.top1_agreement, 2) + " %\n");
  print("perplexity          " + fixed(quality.ppl, 4) + " (source " + fixed(quality.reference_ppl, 4) + ")\n");
}

nlohmann::ordered_json result_json(const QuantizeResult& result, double seconds) {
  nlohmann::ordered_json out;
  out["files"] = result.files;
  out["from_bytes"] = result.from_bytes;
  out["to_bytes"] = result.to_bytes;
  out["bits_per_weight"] = result.bits_per_weight;
  out["seconds"] = seconds;
  if (result.quality) {
    const Comparison& q = *result.quality;
    out["quality"] = {{"kl_divergence", q.kl_divergence},     {"kl_divergence_stderr", q.kl_divergence_stderr},
                      {"top1_agreement", q.top1_agreement},   {"perplexity", q.ppl},
                      {"source_perplexity", q.reference_ppl}, {"tokens", q.n_tokens}};
  }
  for (const QuantizedTensor& tensor : result.tensors) {
    out["tensors"].push_back({{"name", tensor.name},
                              {"shape", tensor.shape},
                              {"from", tensor.from},
                              {"to", tensor.to},
                              {"from_bytes", tensor.from_bytes},
                              {"to_bytes", tensor.to_bytes},
                              {"reason", tensor.reason},
                              {"fallback", tensor.fallback}});
  }
  return out;
}

uint64_t size_of(const std::string& text) {
  size_t used = 0;
  double number = 0;
  try {
    number = std::stod(text, &used);
  } catch (const std::exception&) {
    return 0;
  }
  constexpr std::pair<const char*, double> kUnits[] = {{"", 1},
                                                       {"K", 1e3},
                                                       {"M", 1e6},
                                                       {"G", 1e9},
                                                       {"KB", 1e3},
                                                       {"MB", 1e6},
                                                       {"GB", 1e9},
                                                       {"KiB", 1024},
                                                       {"MiB", 1024.0 * 1024},
                                                       {"GiB", 1024.0 * 1024 * 1024}};
  for (const auto& [unit, factor] : kUnits) {
    if (text.substr(used) == unit && number > 0 && number * factor < 1e18)
      return static_cast<uint64_t>(number * factor);
  }
  return 0;
}

}  // namespace quern::cli
