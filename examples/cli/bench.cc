// quern bench: how fast a model reads a prompt and writes an answer.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>
#include <optional>

#include "examples/cli/command.h"
#include "examples/cli/console.h"
#include "examples/cli/files.h"
#include "examples/cli/interrupt.h"
#include "examples/cli/model_args.h"
#include "examples/cli/report.h"

namespace quern::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct Args {
  ModelArgs model;
  ContextArgs context;
  std::string n_prompt = "512", n_gen = "128", depth = "0", threads = "0";
  uint32_t repetitions = 5, batch = 1;
  bool json = false;
};

/// One combination of the lists.
struct Case {
  uint32_t n_prompt = 0, n_gen = 0, depth = 0;
};

struct Measured {
  Case what;
  uint32_t n_threads = 0;
  double load_seconds = 0;
  double first_seconds = 0;  ///< from the start of opening the model to the first result of this combination
  std::vector<double> prompt_seconds, gen_seconds;  ///< one per repetition
  uint64_t rss_bytes = 0;
};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Memory of this process at present.
uint64_t resident_bytes() {
  const auto text = read_text("/proc/self/statm");
  if (!text) return 0;
  const size_t space = text->find(' ');
  uint64_t pages = 0;
  if (space != std::string::npos) std::from_chars(text->data() + space + 1, text->data() + text->size(), pages);
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t peak_resident_bytes() {
  struct rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

Result<std::vector<uint32_t>> parse_list(const char* flag, const std::string& text) {
  std::vector<uint32_t> out;
  const char *at = text.data(), *const end = at + text.size();
  while (true) {
    uint32_t value = 0;
    const auto [rest, error] = std::from_chars(at, end, value);
    if (error != std::errc() || value > 1u << 24 || (rest != end && *rest != ',')) {
      return Error{Errc::argument, std::string(flag) + ": expected numbers with commas between, found '" + text + "'"};
    }
    out.push_back(value);
    if (rest == end) return out;
    at = rest + 1;
  }
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/// Ordinary tokens in a fixed random order (a linear congruential generator; any will do).
class RandomTokens {
 public:
  explicit RandomTokens(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  Token next() {
    for (int tries = 0; tries < 100; ++tries) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      const auto token = static_cast<Token>((state_ >> 33) % static_cast<uint64_t>(tokenizer_.n_tokens()));
      if (!tokenizer_.is_control(token)) return token;
    }
    return 0;
  }
  std::vector<Token> take(uint32_t n) {
    std::vector<Token> out(n);
    for (auto& token : out) token = next();
    return out;
  }

 private:
  const Tokenizer& tokenizer_;
  uint64_t state_ = 42;
};

class Bench {
 public:
  Bench(Context& context, uint32_t n_sequences)
      : context_(context), tokens_(context.model().tokenizer()), n_sequences_(n_sequences) {
    options_.cancel = catch_interrupts();
  }

  /// Seconds for reading n_prompt tokens behind `depth` others.
  Result<double> prompt(uint32_t n_prompt, uint32_t depth) {
    if (Status status = fill(depth, 1); !status) return status.error();
    const auto tokens = tokens_.take(n_prompt);
    const auto start = Clock::now();
    if (Status status = context_.append(tokens, 0, false, options_); !status) return status.error();
    return seconds_since(start);
  }

  /// Seconds for n_gen tokens, one after the other, in each of the sequences.
  Result<double> generate(uint32_t n_gen, uint32_t depth) {
    if (Status status = fill(depth, n_sequences_); !status) return status.error();
    std::vector<BatchToken> batch(n_sequences_);
    const auto start = Clock::now();
    for (uint32_t i = 0; i < n_gen; ++i) {
      for (uint32_t s = 0; s < n_sequences_; ++s) {
        batch[s] = {tokens_.next(), static_cast<int32_t>(depth + i), static_cast<int32_t>(s), true};
      }
      if (Status status = context_.decode(batch, options_); !status) return status.error();
    }
    return seconds_since(start);
  }

 private:
  Status fill(uint32_t depth, uint32_t n_sequences) {
    context_.clear();
    if (depth == 0) return {};
    for (uint32_t s = 0; s < n_sequences; ++s) {
      if (Status status = context_.append(tokens_.take(depth), static_cast<int32_t>(s), false, options_); !status)
        return status;
    }
    return {};
  }

  Context& context_;
  RandomTokens tokens_;
  uint32_t n_sequences_;
  DecodeOptions options_;
};

Result<Measured> measure(const Model& model, const Args& args, const Case& what, Clock::time_point start) {
  ContextArgs context_args = args.context;
  if (context_args.n_ctx == 0) {
    context_args.n_ctx = std::max({what.depth + what.n_prompt, args.batch * (what.depth + what.n_gen), 1u});
  }
  auto context = create_context(model, context_args, args.batch);
  if (!context) return context.error();
  Bench bench(*context, args.batch);
  Measured out;
  out.what = what;
  out.n_threads = model.runtime().n_threads();
  for (uint32_t r = 0; r <= args.repetitions; ++r) {  // the first one warms up and is not counted
    if (stderr_is_terminal()) {
      std::fputs(("\r\033[K" +
                  dim("threads " + std::to_string(out.n_threads) + ", depth " + std::to_string(what.depth) +
                      (r == 0 ? ": warm-up" : ": " + std::to_string(r) + " of " + std::to_string(args.repetitions))))
                     .c_str(),
                 stderr);
      std::fflush(stderr);
    }
    if (what.n_prompt > 0) {
      auto seconds = bench.prompt(what.n_prompt, what.depth);
      if (!seconds) return seconds.error();
      if (r > 0) out.prompt_seconds.push_back(*seconds);
      if (r == 0) out.first_seconds = seconds_since(start);
    }
    if (what.n_gen > 0) {
      auto seconds = bench.generate(r > 0 ? what.n_gen : std::min(what.n_gen, 4u), what.depth);
      if (!seconds) return seconds.error();
      if (r > 0) out.gen_seconds.push_back(*seconds);
    }
  }
  out.rss_bytes = resident_bytes();
  return out;
}

/// Tokens a second at the median time, nothing where it was not measured.
std::optional<double> rate(uint32_t n_tokens, const std::vector<double>& seconds) {
  if (seconds.empty()) return std::nullopt;
  const double middle = median(seconds);
  return middle > 0 ? n_tokens / middle : 0;
}

nlohmann::ordered_json result_json(const Measured& m, const Args& args) {
  const auto pp = rate(m.what.n_prompt, m.prompt_seconds), tg = rate(m.what.n_gen * args.batch, m.gen_seconds);
  nlohmann::ordered_json out;
  out["pp_tok_s"] = pp ? nlohmann::ordered_json(*pp) : nlohmann::ordered_json();
  out["tg_tok_s"] = tg ? nlohmann::ordered_json(*tg) : nlohmann::ordered_json();
  out["load_s"] = m.load_seconds;
  if (m.first_seconds > 0) out["first_token_s"] = m.first_seconds;
  out["rss_bytes"] = m.rss_bytes;
  out["n_prompt"] = m.what.n_prompt;
  out["n_gen"] = m.what.n_gen;
  out["depth"] = m.what.depth;
  out["n_threads"] = m.n_threads;
  out["n_sequences"] = args.batch;
  out["n_batch"] = args.context.n_batch;
  out["repetitions"] = args.repetitions;
  out["pp_seconds"] = m.prompt_seconds;
  out["tg_seconds"] = m.gen_seconds;
  return out;
}

void print_row(const Measured& m, const Args& args) {
  const auto row = [&](const std::string& test, std::optional<double> speed, const std::vector<double>& seconds) {
    if (!speed) return;
    const auto [least, most] = std::minmax_element(seconds.begin(), seconds.end());
    const double spread = *most > 0 ? 50 * (*most - *least) / median(seconds) : 0;
    std::string cells[] = {test, std::to_string(m.what.depth), std::to_string(m.n_threads), fixed(*speed, 2),
                           fixed(spread, 1) + "%"};
    std::string line = "|";
    constexpr size_t kWidths[] = {12, 8, 8, 12, 8};
    for (size_t i = 0; i < std::size(cells); ++i) {
      line += " " + std::string(kWidths[i] > cells[i].size() ? kWidths[i] - cells[i].size() : 0, ' ') + cells[i] + " |";
    }
    print(line + "\n");
  };
  const std::string sequences = args.batch > 1 ? "x" + std::to_string(args.batch) : "";
  row("pp" + std::to_string(m.what.n_prompt), rate(m.what.n_prompt, m.prompt_seconds), m.prompt_seconds);
  row("tg" + std::to_string(m.what.n_gen) + sequences, rate(m.what.n_gen * args.batch, m.gen_seconds), m.gen_seconds);
}

void print_head(const Model& model, double load_seconds) {
  print(model.info().path + ": " + count_text(model.info().n_parameters) + " parameters, " + model.info().file_type +
        ", " + bytes_text(model.info().size_bytes) + "; " + model.runtime().description() + "; loaded in " +
        fixed(load_seconds, 2) + " s\n");
  print("|         test |    depth |  threads |        tok/s |   spread |\n");
  print("|-------------:|---------:|---------:|-------------:|---------:|\n");
}

void print_json(const Model& model, const std::vector<Measured>& results, const Args& args) {
  // The first combination's figures stand at the top.
  nlohmann::ordered_json json = result_json(results.front(), args);
  json["peak_rss_bytes"] = peak_resident_bytes();
  json["model"] = model.info().path;
  json["file_type"] = model.info().file_type;
  json["n_parameters"] = model.info().n_parameters;
  json["size_bytes"] = model.info().size_bytes;
  json["backend"] = model.runtime().description();
  json["version"] = version();
  auto& list = json["results"] = nlohmann::ordered_json::array();
  for (const auto& result : results) list.push_back(result_json(result, args));
  print(dump(json));
}

struct Plan {
  std::vector<uint32_t> threads;
  std::vector<Case> cases;
};

Result<Plan> plan(const Args& args) {
  auto prompts = parse_list("-p", args.n_prompt), gens = parse_list("-n", args.n_gen),
       depths = parse_list("-d", args.depth);
  auto threads = parse_list("-t", args.threads);
  for (const auto* list : {&prompts, &gens, &depths, &threads}) {
    if (!*list) return list->error();
  }
  Plan out;
  out.threads = *threads;
  // Each length once per depth: the longer of the two lists gives the number of rows.
  for (const uint32_t depth : *depths) {
    for (size_t i = 0; i < std::max(prompts->size(), gens->size()); ++i) {
      out.cases.push_back({i < prompts->size() ? (*prompts)[i] : 0, i < gens->size() ? (*gens)[i] : 0, depth});
    }
  }
  return out;
}

int run(Args& args) {
  auto todo = plan(args);
  if (!todo) return report(todo.error());
  std::vector<Measured> results;
  std::optional<Model> model;
  for (const uint32_t threads : todo->threads) {
    model.reset();  // before the next one takes memory
    args.model.n_threads = static_cast<int32_t>(threads);
    const auto start = Clock::now();
    auto opened = open_model(args.model);
    if (!opened) return report(opened.error());
    const double load_seconds = seconds_since(start);
    model = *opened;
    if (!args.json && results.empty()) print_head(*model, load_seconds);
    for (const Case& what : todo->cases) {
      auto measured = measure(*model, args, what, start);
      if (stderr_is_terminal()) std::fputs("\r\033[K", stderr);
      if (!measured) return report(measured.error());
      measured->load_seconds = load_seconds;
      if (&what != &todo->cases.front()) measured->first_seconds = 0;  // not from opening alone
      if (!args.json) print_row(*measured, args);
      results.push_back(std::move(*measured));
    }
  }
  if (args.json) print_json(*model, results, args);
  return finish_output(kOk);
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto args = std::make_shared<Args>();
  CLI::App* command = app.add_subcommand("bench", "Measure speed: tokens a second for prompt (pp) and answer (tg)");
  add_model_args(*command, args->model, false);
  const auto list = [command](const char* name, std::string& value, const char* help) {
    command->add_option(name, value, help)->type_name("N,N,...");
  };
  list("-p,--n-prompt", args->n_prompt, "Prompt tokens; 0 skips (512)");
  list("-n,--n-gen", args->n_gen, "Answer tokens; 0 skips (128)");
  list("-d,--n-depth", args->depth, "Tokens already in the context (0)");
  list("-t,--threads", args->threads, "Threads; 0: the physical cores this process may use (0)");
  command->add_option("-r,--repetitions", args->repetitions, "The median of so many runs, after one to warm up (5)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  command->add_option("--batch", args->batch, "Sequences that generate at once; tg counts all their tokens (1)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  add_context_args(*command, args->context);
  command->add_flag("--json", args->json, "Print one JSON document: the first combination, and all under \"results\"");
  add_examples(*command,
               "  quern bench model.gguf\n"
               "  quern bench model.gguf -p 512 -n 128 -t 1,2,4 -d 0,4096\n"
               "  quern bench model.gguf -p 0 -n 64 --batch 8 --json\n");
  command->callback([args, &action] { action = [args] { return run(*args); }; });
}

}  // namespace quern::cli
