#include "examples/cli/report.h"

#include "examples/cli/console.h"

namespace quern::cli {
namespace {

double rate(double count, double seconds) { return seconds > 0 ? count / seconds : 0; }

}  // namespace

const char* stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::length:
      return "length";
    case StopReason::end_of_generation:
      return "end_of_generation";
    case StopReason::stop_text:
      return "stop_text";
    case StopReason::cancelled:
      return "cancelled";
    case StopReason::context_full:
      return "context_full";
  }
  return "unknown";
}

nlohmann::ordered_json timings_json(const GenerateTimings& t) {
  return {{"prompt_n", t.n_prompt},
          {"cache_n", t.n_cached},
          {"prompt_s", t.prompt_seconds},
          {"prompt_tok_s", rate(t.n_prompt, t.prompt_seconds)},
          {"predicted_n", t.n_generated},
          {"predicted_s", t.generate_seconds},
          {"predicted_tok_s", rate(t.n_generated, t.generate_seconds)}};
}

std::string timings_text(const GenerateTimings& t) {
  std::string out = "prompt " + std::to_string(t.n_prompt) + " tokens";
  if (t.n_cached > 0) out += " (+" + std::to_string(t.n_cached) + " cached)";
  out += ", " + fixed(rate(t.n_prompt, t.prompt_seconds), 1) + " tok/s; answer " + std::to_string(t.n_generated) +
         " tokens, " + fixed(rate(t.n_generated, t.generate_seconds), 1) + " tok/s";
  return out;
}

nlohmann::ordered_json footprint_json(const Footprint& f) {
  return {{"matrix_bytes", f.matrix_bytes},
          {"vector_bytes", f.vector_bytes},
          {"table_bytes", f.table_bytes},
          {"kept_bytes", f.kept_bytes},
          {"total_bytes", f.total_bytes},
          {"file_bytes", f.file_bytes},
          {"file_needed_bytes", f.file_needed_bytes},
          {"file_mapped", f.file_mapped}};
}

}  // namespace quern::cli
