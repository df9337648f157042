#include "examples/cli/bench_measure.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <ctime>
#include <numeric>

#include "examples/cli/console.h"
#include "examples/cli/files.h"
#include "examples/cli/interrupt.h"

namespace quern::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// Memory of this process at present.
uint64_t resident_bytes() {
  const auto text = read_text("/proc/self/statm");
  if (!text) return 0;
  const size_t space = text->find(' ');
  uint64_t pages = 0;
  if (space != std::string::npos) std::from_chars(text->data() + space + 1, text->data() + text->size(), pages);
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
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

 private:
  const Tokenizer& tokenizer_;
  uint64_t state_ = 42;
};

/// One test in a context of its own.
class Runner {
 public:
  Runner(Context& context, const BenchTest& test)
      : context_(context), test_(test), tokens_(context.model().tokenizer()) {
    options_.cancel = catch_interrupts();
  }

  /// Brings every sequence to the test's depth.
  Status fill() { return decode_all(text(0, test_.n_depth)); }

  /// Seconds for the prompt, if any, and then n_gen tokens, one after the other, in each of the sequences.
  Result<double> repetition(uint32_t n_gen) {
    if (Status status = go_back(); !status) return status.error();
    const auto prompt = text(test_.n_depth, test_.n_prompt);
    const uint32_t at = test_.n_depth + test_.n_prompt;
    const auto start = Clock::now();
    if (Status status = decode_all(prompt); !status) return status.error();
    for (uint32_t i = 0; i < n_gen; ++i) {
      if (Status status = context_.decode(text(at + i, 1), options_); !status) return status.error();
    }
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

 private:
  /// n tokens for each of the sequences, with the logits of the last ones.
  std::vector<BatchToken> text(uint32_t position, uint32_t n) {
    std::vector<BatchToken> batch;
    batch.reserve(size_t{n} * test_.n_parallel);
    for (uint32_t s = 0; s < test_.n_parallel; ++s) {
      for (uint32_t i = 0; i < n; ++i) {
        batch.push_back({tokens_.next(), static_cast<int32_t>(position + i), static_cast<int32_t>(s), i + 1 == n});
      }
    }
    return batch;
  }

  /// Every sequence has the test's depth again. Layers with a sliding window may have to begin before it.
  Status go_back() {
    std::vector<BatchToken> missing;
    for (int32_t s = 0; s < static_cast<int32_t>(test_.n_parallel); ++s) {
      const auto depth = static_cast<int32_t>(test_.n_depth);
      const auto reached = context_.sequence_rewind(s, depth);
      if (!reached) return reached.error();
      for (int32_t at = *reached; at < depth; ++at) missing.push_back({tokens_.next(), at, s, false});
    }
    return decode_all(missing);
  }

  Status decode_all(const std::vector<BatchToken>& batch) {
    return batch.empty() ? Status() : context_.decode(batch, options_);
  }

  Context& context_;
  const BenchTest& test_;
  RandomTokens tokens_;
  DecodeOptions options_;
};

uint64_t number_in(const Model& model, const std::string& key, uint64_t otherwise) {
  const auto text = model.metadata(model.info().architecture + "." + key);
  uint64_t value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc()) return otherwise;
  return value;
}

/// Bytes of weights that a pass reads: all but the embeddings, of which it reads a row per token.
uint64_t weight_bytes(const Model& model) {
  const Footprint footprint = model.footprint();
  return footprint.matrix_bytes + footprint.kept_bytes + footprint.vector_bytes;
}

/// Bytes of keys and values that one token has in the cache.
uint64_t cache_bytes_per_token(const Model& model, const BenchTest& test) {
  const ModelInfo& info = model.info();
  const uint64_t head = info.n_head > 0 ? info.n_embd / info.n_head : 0;
  const auto sixteenths = [](const std::string& type) -> uint64_t {  // of a byte, per element
    return type == "f32" ? 64 : type == "f16" ? 32 : type == "q8_0" ? 17 : 9;
  };
  return uint64_t{info.n_layer} * info.n_head_kv *
         (number_in(model, "attention.key_length", head) * sixteenths(test.type_k) +
          number_in(model, "attention.value_length", head) * sixteenths(test.type_v)) /
         16;
}

uint64_t bytes_per_pass(const Model& model, const BenchTest& test) {
  if (test.n_prompt > 0) return 0;
  const double cached = test.n_depth + (test.n_gen + 1) / 2.0;  // tokens that the middle one attends to
  return weight_bytes(model) +
         static_cast<uint64_t>(cached * static_cast<double>(test.n_parallel * cache_bytes_per_token(model, test)));
}

void show_progress(const std::string& text) {
  if (!stderr_is_terminal()) return;
  std::fputs(("\r\033[K" + (text.empty() ? text : dim(text))).c_str(), stderr);
  std::fflush(stderr);
}

Status run_repetitions(Runner& runner, const BenchArgs& args, BenchResult& out) {
  const std::string name = out.test.name() + ": ";
  if (out.test.n_depth > 0) show_progress(name + "filling the context");
  if (Status status = runner.fill(); !status) return status;
  if (!args.no_warmup) {
    show_progress(name + "warm-up");
    const auto seconds = runner.repetition(std::min(out.test.n_gen, 4u));
    if (!seconds) return seconds.error();
  }
  for (uint32_t r = 0; r < args.repetitions; ++r) {
    show_progress(name + std::to_string(r + 1) + " of " + std::to_string(args.repetitions));
    const auto seconds = runner.repetition(out.test.n_gen);
    if (!seconds) return seconds.error();
    out.seconds.push_back(std::max(*seconds, 1e-9));
  }
  return {};
}

}  // namespace

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const double middle = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - middle) * (value - middle);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

std::vector<double> BenchResult::rates() const {
  std::vector<double> out;
  for (const double s : seconds) out.push_back(static_cast<double>(test.n_tokens()) / s);
  return out;
}

double BenchResult::median_rate() const { return static_cast<double>(test.n_tokens()) / median(seconds); }

std::optional<double> BenchResult::read_rate() const {
  if (bytes_per_pass == 0) return std::nullopt;
  return static_cast<double>(bytes_per_pass) * test.n_gen / median(seconds);
}

Result<BenchResult> run_bench_test(const Model& model, const BenchArgs& args, const BenchTest& test) {
  ContextArgs context_args;
  context_args.adapters = args.adapters;
  context_args.n_batch = test.n_batch;
  context_args.type_k = test.type_k;
  context_args.type_v = test.type_v;
  const uint64_t needed = uint64_t{test.n_parallel} * (uint64_t{test.n_depth} + test.n_prompt + test.n_gen);
  if (needed > UINT32_MAX) {
    return Error{Errc::argument,
                 test.name() + ": " + std::to_string(needed) + " tokens are more than a context can hold"};
  }
  context_args.n_ctx = args.n_ctx > 0 ? args.n_ctx : static_cast<uint32_t>(needed);
  auto context = create_context(model, context_args, test.n_parallel);
  if (!context) return context.error();
  Runner runner(*context, test);
  BenchResult out;
  out.test = test;
  out.time = utc_now();
  out.bytes_per_pass = bytes_per_pass(model, test);
  const Status status = run_repetitions(runner, args, out);
  show_progress("");
  if (!status) return status.error();
  out.rss_bytes = resident_bytes();
  return out;
}

uint64_t peak_resident_bytes() {
  struct rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

std::string processor_name(const std::string& otherwise) {
  const auto text = read_text("/proc/cpuinfo");
  if (!text) return otherwise;
  for (const char* key : {"model name", "Hardware", "Model"}) {
    size_t at = text->rfind(key, 0) == 0 ? 0 : text->find(std::string("\n") + key);
    if (at == std::string::npos) continue;
    at = text->find(": ", at);
    if (at == std::string::npos) continue;
    return text->substr(at + 2, text->find('\n', at) - at - 2);
  }
  return otherwise;
}

}  // namespace quern::cli
