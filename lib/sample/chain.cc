// Building a chain from options, and running it.
#include "lib/sample/chain.h"

#include <algorithm>
#include <string_view>

#include "lib/base/rng.h"

namespace quern::sample {
namespace {

constexpr uint32_t kRandomSeed = 0xFFFFFFFF;

/// A seed by chance; never kRandomSeed itself, so that giving it back in the options repeats the run.
uint32_t draw_seed() {
  const auto seed = static_cast<uint32_t>(base::random_bits() >> 32);
  return seed == kRandomSeed ? 0 : seed;
}

Status check_order(std::string_view order) {
  for (size_t i = 0; i < order.size(); ++i) {
    const char letter = order[i];
    if (find_step(letter) == nullptr) {
      std::string known;
      for (const StepInfo* info : steps())
        if (info->letter != 0) known += info->letter;
      const bool printable = letter > ' ' && letter < 0x7F;
      return fail(Errc::argument, "sampler option order: expected letters of '", known, "', found ",
                  printable ? cat("'", letter, "'") : cat("byte ", static_cast<int>(static_cast<uint8_t>(letter))),
                  " at position ", i);
    }
    QUERN_ENSURE(order.find(letter, i + 1) == std::string_view::npos, Errc::argument,
                 "sampler option order: expected each letter once, found '", letter, "' again at position ",
                 order.find(letter, i + 1));
  }
  return {};
}

/// The letters of the order that are to run.
std::string effective_order(const SamplerOptions& options) {
  // Only these two may remove the most probable token; the other cuts keep it, so greedy does as well without them.
  const bool may_lose_best = options.typical_p < 1 || options.xtc_probability > 0;
  std::string_view skipped;
  if (options.mirostat != 0)
    skipped = "dskypmx";
  else if (options.temperature <= 0 && !may_lose_best)
    skipped = "skpmt";
  std::string out;
  for (const char letter : options.order)
    if (skipped.find(letter) == std::string_view::npos) out += letter;
  return out;
}

const StepInfo& last_step(const SamplerOptions& options) {
  if (options.temperature <= 0) return kGreedyStep;
  if (options.mirostat == 1) return kMirostatStep;
  if (options.mirostat == 2) return kMirostat2Step;
  return kDistStep;
}

}  // namespace

Result<Chain> Chain::create(const SamplerOptions& options, const SamplerVocab& vocab) {
  Chain chain;
  chain.n_tokens_ = vocab.n_tokens();
  chain.seed_ = options.seed == kRandomSeed ? draw_seed() : options.seed;
  const StepContext context{options, vocab, chain.seed_};
  for (const StepInfo* info : steps())
    if (info->check != nullptr) QUERN_CHECK(info->check(context));
  QUERN_CHECK(check_order(options.order));

  const auto add = [&](const StepInfo& info) {
    if (auto step = info.create(context)) chain.steps_.push_back(std::move(step));
  };
  add(kLogitBiasStep);
  for (const char letter : effective_order(options)) add(*find_step(letter));
  add(last_step(options));
  return chain;
}

int32_t Chain::sample(std::span<const float> logits) {
  candidates_.load(logits);
  if (candidates_.empty()) return -1;
  for (const auto& step : steps_) step->apply(candidates_);
  return candidates_[candidates_.chosen()].token;
}

void Chain::accept(int32_t token) {
  if (token < 0 || token >= n_tokens_) return;
  for (const auto& step : steps_) step->accept(token);
}

void Chain::reset() {
  for (const auto& step : steps_) step->reset();
}

std::vector<Candidate> Chain::candidates(size_t max_count) const {
  const auto items = candidates_.items();
  std::vector<Candidate> out(std::min(max_count, items.size()));
  std::partial_sort_copy(items.begin(), items.end(), out.begin(), out.end(), before);
  return out;
}

}  // namespace quern::sample
