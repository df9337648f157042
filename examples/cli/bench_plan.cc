#include "examples/cli/bench_plan.h"

#include <charconv>
#include <string_view>

namespace quern::cli {
namespace {

constexpr uint64_t kMaxNumber = 1u << 24;
constexpr size_t kMaxEntries = 10000;

/// Parts of a text between commas; an empty one is a part too.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t comma = text.find(',');
    out.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

/// Takes a number from the front of the text.
bool take_number(std::string_view& text, uint64_t& out) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || out > kMaxNumber) return false;
  text.remove_prefix(static_cast<size_t>(rest - text.data()));
  return true;
}

/// Appends the numbers of "N", "A-B", "A-B+S" or "A-B*F"; false if the text is none of these.
bool append_numbers(std::string_view text, std::vector<uint32_t>& out) {
  uint64_t first = 0, step = 1;
  if (!take_number(text, first)) return false;
  uint64_t last = first;
  bool multiplies = false;
  if (!text.empty()) {
    if (text[0] != '-') return false;
    text.remove_prefix(1);
    if (!take_number(text, last) || last < first) return false;
  }
  if (!text.empty()) {
    multiplies = text[0] == '*';
    if (!multiplies && text[0] != '+') return false;
    text.remove_prefix(1);
    if (!take_number(text, step) || !text.empty() || step < (multiplies ? 2 : 1)) return false;
  }
  if (multiplies && first == 0) return false;  // would stay at 0
  for (uint64_t value = first; value <= last; value = multiplies ? value * step : value + step) {
    if (out.size() >= kMaxEntries) return false;
    out.push_back(static_cast<uint32_t>(value));
  }
  return true;
}

Result<std::vector<std::string>> parse_types(const std::string& flag, const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const auto& text : texts) {
    for (const auto part : split(text)) {
      if (const auto type = cache_type(part); !type) return Error{Errc::argument, flag + ": " + type.error().message};
      out.emplace_back(part);
    }
  }
  return out;
}

/// The lengths of what is measured, for one depth.
struct Lengths {
  uint32_t n_prompt, n_gen;
};

Result<std::vector<Lengths>> parse_lengths(const BenchArgs& args) {
  const auto prompts = parse_numbers("-p", args.n_prompt), gens = parse_numbers("-n", args.n_gen);
  if (!prompts) return prompts.error();
  if (!gens) return gens.error();
  std::vector<Lengths> out;
  for (const uint32_t n : *prompts) {
    if (n > 0) out.push_back({n, 0});
  }
  for (const uint32_t n : *gens) {
    if (n > 0) out.push_back({0, n});
  }
  for (const auto& text : args.prompt_gen) {
    const auto parts = split(text);
    uint64_t pair[2] = {};
    std::string_view rest[2];
    bool good = parts.size() == 2;
    for (size_t i = 0; good && i < 2; ++i) {
      rest[i] = parts[i];
      good = take_number(rest[i], pair[i]) && rest[i].empty() && pair[i] > 0;
    }
    if (!good) return Error{Errc::argument, "-pg: expected PROMPT,ANSWER like 512,128, found '" + text + "'"};
    out.push_back({static_cast<uint32_t>(pair[0]), static_cast<uint32_t>(pair[1])});
  }
  if (out.empty()) return Error{Errc::argument, "nothing to measure: -p and -n are 0, and there is no -pg"};
  return out;
}

/// The parameters around the lengths, each with its bounds.
Result<std::vector<uint32_t>> parse_bounded(const std::string& flag, const std::vector<std::string>& texts,
                                            uint32_t least, uint32_t most) {
  auto out = parse_numbers(flag, texts);
  if (!out) return out;
  for (const uint32_t value : *out) {
    if (value < least || value > most) {
      return Error{Errc::argument, flag + ": expected " + std::to_string(least) + " to " + std::to_string(most) +
                                       ", found " + std::to_string(value)};
    }
  }
  return out;
}

}  // namespace

std::string BenchTest::name() const {
  std::string out;
  if (n_prompt > 0) out += "pp" + std::to_string(n_prompt);
  if (n_gen > 0) out += (out.empty() ? "tg" : "+tg") + std::to_string(n_gen);
  if (n_parallel > 1) out += " x" + std::to_string(n_parallel);
  if (n_depth > 0) out += " @ d" + std::to_string(n_depth);
  return out;
}

Result<std::vector<uint32_t>> parse_numbers(const std::string& flag, const std::vector<std::string>& texts) {
  std::vector<uint32_t> out;
  for (const auto& text : texts) {
    for (const auto part : split(text)) {
      if (append_numbers(part, out)) continue;
      return Error{
          Errc::argument,
          flag + ": expected numbers with commas between, or ranges like 1-8, 1-8+2 and 1-8*2, found '" + text + "'"};
    }
  }
  return out;
}

Result<BenchPlan> make_plan(const BenchArgs& args) {
  const auto lengths = parse_lengths(args);
  if (!lengths) return lengths.error();
  const auto depths = parse_numbers("-d", args.n_depth), threads = parse_bounded("-t", args.threads, 0, 4096),
             parallel = parse_bounded("-np", args.n_parallel, 1, 1024),
             batches = parse_bounded("-b", args.n_batch, 1, 65536);
  for (const auto* list : {&depths, &threads, &parallel, &batches}) {
    if (!*list) return list->error();
  }
  const auto types_k = parse_types("-ctk", args.type_k), types_v = parse_types("-ctv", args.type_v);
  if (!types_k) return types_k.error();
  if (!types_v) return types_v.error();
  BenchPlan plan{args.models, *threads, {}};
  plan.models.insert(plan.models.end(), args.more_models.begin(), args.more_models.end());
  if (plan.models.empty()) return Error{Errc::argument, "no model named: give the path of a GGUF file, or `demo`"};
  const auto add = [&](BenchTest test) {
    for (const uint32_t depth : *depths) {
      test.n_depth = depth;
      for (const auto& [n_prompt, n_gen] : *lengths) {
        test.n_prompt = n_prompt;
        test.n_gen = n_gen;
        // How many sequences there are is a matter of decoding: a prompt alone is read once, as one sequence.
        const std::vector<uint32_t> sequences = n_gen == 0 ? std::vector<uint32_t>{1} : *parallel;
        for (const uint32_t n : sequences) {
          test.n_parallel = n;
          plan.tests.push_back(test);
        }
      }
    }
  };
  for (const uint32_t n_batch : *batches) {
    for (const auto& type_k : *types_k) {
      for (const auto& type_v : *types_v) add({0, 0, 0, 1, n_batch, type_k, type_v});
    }
  }
  return plan;
}

}  // namespace quern::cli
