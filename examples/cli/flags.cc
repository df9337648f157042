#include "examples/cli/flags.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

namespace quern::cli {
namespace {

constexpr std::pair<std::string_view, std::string_view> kLongForms[] = {
    {"-sys", "--system-prompt"},
    {"-sysf", "--system-prompt-file"},
    {"-st", "--single-turn"},
    {"-ctk", "--cache-type-k"},
    {"-ctv", "--cache-type-v"},
    {"-tb", "--threads-batch"},
    {"-ngl", "--n-gpu-layers"},
    {"-fa", "--flash-attn"},
    {"-ub", "--ubatch-size"},
    {"-hf", "--hf-repo"},
    {"-hfr", "--hf-repo"},
    {"-md", "--model-draft"},
    {"-cnv", "--conversation"},
    {"-no-cnv", "--no-conversation"},
    {"-dev", "--device"},
    {"-np", "--parallel"},
    {"-ot", "--override-tensor"},
    {"-pg", "--pg"},
    {"-Cr", "--cpu-range"},
    {"-mmp", "--mmap"},
    {"-bf", "--binary-file"},
    {"-ofreq", "--output-frequency"},
    {"-ctxcp", "--ctx-checkpoints"},
};

constexpr std::pair<std::string_view, std::string_view> kHints[] = {
    {"--n-gpu-layers", "everything is computed on the CPU: leave it out"},
    {"--gpu-layers", "everything is computed on the CPU: leave it out"},
    {"--device", "everything is computed on the CPU: leave it out"},
    {"--override-tensor", "everything is computed on the CPU: leave it out"},
    {"--flash-attn", "attention always works block by block: leave it out"},
    {"--ubatch-size", "there is one batch size: -b"},
    {"--mmap", "files are mapped unless --no-mmap says otherwise"},
    {"--mlock", "pages cannot be locked: --no-mmap reads the file into memory"},
    {"--conversation", "use the command `quern chat`"},
    {"--no-conversation", "use `quern run --raw`"},
    {"--interactive", "use the command `quern chat`"},
    {"--model-draft", "speculative decoding is not available"},
    {"--lora-base", "an adapter is applied to the model that it is run with: leave it out"},
    {"--grammar", "grammars are not available"},
    {"--json-schema", "grammars are not available"},
    {"--parallel", "use `quern bench -np N` to decode several sequences"},
    {"--jinja", "templates are always Jinja: leave it out"},
    {"--color", "colours are used on a terminal unless NO_COLOR is set: leave it out"},
    {"--no-warmup", "leave it out"},
    {"--context-shift", "a full context ends the generation: make it larger with -c"},
    {"--no-ppl", "`quern perplexity` measures it, nothing else does: leave it out"},
    {"--save-frequency", "-o is written every --output-frequency chunks; there are no copies"},
    {"--keep", "a full context ends the generation: make it larger with -c"},
};

/// Edits (insert, delete, replace) from one word to the other.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

bool takes_text(std::string_view flag) {
  return flag == "-p" || flag == "--prompt" || flag == "-f" || flag == "--file" || flag == "-sys" || flag == "-r" ||
         flag == "--stop";
}

}  // namespace

std::vector<std::string> normalize(int argc, char** argv) {
  std::vector<std::string> out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    std::string_view replaced = word;
    // Not where it is the text that a flag asks for.
    if (i == 1 || !takes_text(argv[i - 1])) {
      for (const auto& [from, to] : kLongForms) {
        if (word == from) replaced = to;
      }
    }
    out.emplace_back(replaced);
  }
  return out;
}

std::string explain_unknown(const std::string& flag, const CLI::App& command) {
  const std::string name = flag.substr(0, flag.find('='));
  if (name.empty() || name[0] != '-') return "unexpected argument '" + flag + "'";
  for (const auto& [known, hint] : kHints) {
    if (name == known) return name + ": " + std::string(hint);
  }
  std::string best;
  size_t least = 3;
  for (const CLI::Option* option : command.get_options()) {
    for (const auto& candidate : option->get_lnames()) {
      const size_t edits = distance(name, "--" + candidate);
      if (edits < least) {
        least = edits;
        best = "--" + candidate;
      }
    }
  }
  return "unknown flag " + name + (best.empty() ? "" : " (did you mean " + best + "?)");
}

}  // namespace quern::cli
