#include "examples/cli/sampler_args.h"

#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

namespace quern::cli {
namespace {

constexpr const char* kGroup = "Sampling";

struct StepName {
  std::string_view name;
  char letter;
};
constexpr StepName kSteps[] = {{"penalties", 'e'}, {"dry", 'd'},        {"top_n_sigma", 's'}, {"top_k", 'k'},
                               {"typ_p", 'y'},     {"typical_p", 'y'},  {"top_p", 'p'},       {"min_p", 'm'},
                               {"xtc", 'x'},       {"temperature", 't'}};

/// "top_k;top_p;temperature" as letters.
Result<std::string> order_of(std::string_view names) {
  std::string out;
  while (!names.empty()) {
    const size_t end = names.find_first_of(";,");
    const std::string_view name = names.substr(0, end);
    char letter = 0;
    for (const auto& step : kSteps) {
      if (step.name == name) letter = step.letter;
    }
    if (letter == 0) {
      return Error{Errc::argument, "--samplers: unknown step '" + std::string(name) +
                                       "' (known: penalties dry top_n_sigma top_k typ_p top_p min_p xtc temperature)"};
    }
    out += letter;
    if (end == std::string_view::npos) break;
    names.remove_prefix(end + 1);
  }
  return out;
}

/// "15043+1", "15043-0.5" or "15043-inf".
Result<LogitBias> parse_bias(const std::string& text) {
  LogitBias out;
  const char* const end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, out.token);
  const Error bad{Errc::argument, "--logit-bias: expected TOKEN+BIAS, TOKEN-BIAS or TOKEN-inf, found '" + text + "'"};
  if (error != std::errc() || rest == end || (*rest != '+' && *rest != '-')) return bad;
  const bool negative = *rest++ == '-';
  if (std::string_view(rest, end) == "inf") {
    out.bias = std::numeric_limits<float>::infinity();
  } else {
    const auto parsed = std::from_chars(rest, end, out.bias);
    if (parsed.ec != std::errc() || parsed.ptr != end || out.bias < 0) return bad;
  }
  if (negative) out.bias = -out.bias;
  return out;
}

}  // namespace

void add_sampler_args(CLI::App& command, SamplerArgs& args) {
  SamplerOptions& o = args.options;
  const auto number = [&command](const char* name, auto& value, const char* help) {
    command.add_option(name, value, help)->group(kGroup)->type_name("N");
  };
  number("-s,--seed", args.seed, "Seed (-1: random)");
  number("--temp,--temperature", o.temperature, "Temperature; 0 always takes the likeliest token (0.8)");
  number("--top-k", o.top_k, "Only the K likeliest tokens; 0 off (40)");
  number("--top-p", o.top_p, "Only the likeliest that make up this share; 1 off (0.95)");
  number("--min-p", o.min_p, "Only those at least this likely beside the likeliest; 0 off (0.05)");
  number("--typical,--typical-p", o.typical_p, "Locally typical sampling; 1 off (1)");
  number("--top-nsigma,--top-n-sigma", o.top_n_sigma,
         "Only those within N standard deviations of the best logit; -1 off (-1)");
  number("--min-keep", o.min_keep, "Tokens that the steps leave at least (0)");
  number("--repeat-penalty", o.repeat_penalty, "Makes recent tokens less likely; 1 off (1)");
  number("--repeat-last-n", o.penalty_last_n, "Recent tokens that penalties see; 0 off, -1 all (64)");
  number("--presence-penalty", o.presence_penalty, "0 off (0)");
  number("--frequency-penalty", o.frequency_penalty, "0 off (0)");
  number("--dry-multiplier", o.dry_multiplier, "DRY against repeated phrases; 0 off (0)");
  number("--dry-base", o.dry_base, "(1.75)");
  number("--dry-allowed-length", o.dry_allowed_length, "(2)");
  number("--dry-penalty-last-n", o.dry_penalty_last_n, "0 off, -1 all (64)");
  command
      .add_option("--dry-sequence-breaker", args.breakers,
                  "Replaces the breakers newline, colon, quote and asterisk; `none` for none; may be repeated")
      ->group(kGroup)
      ->type_name("TEXT")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  number("--xtc-probability", o.xtc_probability, "Exclude top choices; 0 off (0)");
  number("--xtc-threshold", o.xtc_threshold, "(0.1)");
  number("--dynatemp-range", o.dynatemp_range, "Temperature varies by this much with the entropy; 0 off (0)");
  number("--dynatemp-exp", o.dynatemp_exponent, "(1)");
  number("--mirostat", o.mirostat, "0 off, 1 or 2 (0)");
  number("--mirostat-ent", o.mirostat_tau, "Target entropy tau (5)");
  number("--mirostat-lr", o.mirostat_eta, "Learning rate eta (0.1)");
  command.add_flag("--ignore-eos", o.ignore_eos, "Never end by the model's own choice")->group(kGroup);
  command.add_option("--logit-bias", args.logit_bias, "TOKEN+BIAS or TOKEN-BIAS; may be repeated")
      ->group(kGroup)
      ->type_name("T+B")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--samplers", args.samplers, "Steps in order, e.g. \"top_k;top_p;temperature\"")
      ->group(kGroup)
      ->type_name("LIST");
  command.add_option("--sampling-seq,--sampler-seq", o.order, "The same by letters (edskypmxt)")
      ->group(kGroup)
      ->type_name("SEQ");
}

Result<SamplerOptions> sampler_options(const SamplerArgs& args) {
  SamplerOptions out = args.options;
  if (args.seed < -1 || args.seed > 0xFFFFFFFF) return Error{Errc::argument, "--seed: expected -1 ... 4294967295"};
  out.seed = args.seed < 0 ? 0xFFFFFFFF : static_cast<uint32_t>(args.seed);
  if (!args.samplers.empty()) {
    auto order = order_of(args.samplers);
    if (!order) return order.error();
    out.order = *order;
  }
  for (const auto& text : args.logit_bias) {
    auto bias = parse_bias(text);
    if (!bias) return bias.error();
    out.logit_bias.push_back(*bias);
  }
  if (!args.breakers.empty()) {
    out.dry_sequence_breakers = args.breakers;
    if (args.breakers == std::vector<std::string>{"none"}) out.dry_sequence_breakers.clear();
  }
  return out;
}

}  // namespace quern::cli
