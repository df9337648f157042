// mirostat: ends a chain by drawing a token such that the mean surprise (-log2 p) of the text stays near tau (Basu et
// al., "Mirostat: a neural text decoding algorithm that directly controls perplexity", 2021). It holds a limit mu, at
// first 2 tau, that moves after each token: mu -= eta (surprise - tau).
//
// Version 1 takes the distribution for a Zipf law p_i ~ i^-s, estimates s from the 100 most probable tokens by least
// squares, s = sum(t b) / sum(t t) with t_i = ln((i + 2) / (i + 1)) and b_i = ln(p_i / p_(i+1)), and keeps the top
//   k = ((e 2^mu) / (1 - N^-e))^(1/s), e = s - 1, N the size of the vocabulary.
// Version 2 keeps the tokens whose surprise is at most mu.
#include <algorithm>

#include "lib/sample/draw.h"
#include "lib/sample/portable_math.h"
#include "lib/sample/step.h"

namespace quern::sample {
namespace {

class Mirostat : public Step {
 public:
  explicit Mirostat(const StepContext& context)
      : tau_(context.options.mirostat_tau),
        eta_(context.options.mirostat_eta),
        mu_(2 * tau_),
        start_(context.seed, static_cast<uint64_t>(RandomStream::choice)),
        rng_(start_) {}

  void apply(Candidates& candidates) final {
    cut(candidates);
    candidates.softmax();
    const size_t chosen = draw(candidates, rng_);
    candidates.choose(chosen);
    drawn_ = candidates[chosen].token;
    surprise_ = -portable_log(candidates[chosen].probability) / kLn2;
  }
  // The limit follows the tokens that are used: not those of the prompt, nor a draw that was thrown away.
  void accept(int32_t token) final {
    if (token == drawn_) mu_ -= eta_ * (surprise_ - tau_);
    drawn_ = -1;
  }
  void reset() final {
    rng_ = start_;
    mu_ = 2 * tau_;
    drawn_ = -1;
  }

 protected:
  static constexpr double kLn2 = 0x1.62e42fefa39efp-1;
  virtual void cut(Candidates& candidates) = 0;
  double mu() const { return mu_; }

 private:
  double tau_, eta_, mu_;
  base::Rng start_, rng_;
  int32_t drawn_ = -1;  ///< The last token drawn, until something is accepted.
  double surprise_ = 0;
};

class Mirostat1 final : public Mirostat {
 public:
  explicit Mirostat1(const StepContext& context) : Mirostat(context), n_vocab_(context.vocab.n_tokens()) {}

 private:
  void cut(Candidates& candidates) override {
    constexpr size_t kFitted = 100;
    candidates.sort_to(kFitted);
    double tb = 0, tt = 0;
    for (size_t i = 0; i + 1 < std::min(kFitted, candidates.size()); ++i) {
      const double b = static_cast<double>(candidates[i].logit) - candidates[i + 1].logit;  // ln of the ratio
      if (!std::isfinite(b)) break;
      const double t = portable_log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
      tb += t * b;
      tt += t * t;
    }
    if (tt > 0) candidates.keep_top(count(tb / tt, candidates.size()));
  }

  // k, at least 1 and at most `size`. A flat distribution (s = 0) is kept whole.
  size_t count(double s, size_t size) const {
    if (s <= 0) return size;
    const double e = s - 1, n = n_vocab_;
    // As e goes to 0, e / (1 - N^-e) goes to 1 / ln N.
    const double factor = std::abs(e) < 1e-6 ? 1 / portable_log(n) : e / (1 - portable_pow(n, -e));
    const double log_k = (portable_log(factor) + mu() * kLn2) / s;
    if (!(log_k > 0)) return 1;
    const double k = portable_exp(log_k);
    return k >= static_cast<double>(size) ? size : static_cast<size_t>(k);
  }

  double n_vocab_;
};

class Mirostat2 final : public Mirostat {
 public:
  using Mirostat::Mirostat;

 private:
  void cut(Candidates& candidates) override {
    candidates.softmax();
    const size_t best = candidates.argmax();
    const double limit = portable_exp(-mu() * kLn2);  // surprise <= mu  <=>  p >= 2^-mu
    candidates.keep_if([&](size_t i, const Candidate& c) { return i == best || c.probability >= limit; });
  }
};

Status check(const StepContext& context) {
  QUERN_CHECK(check_range("mirostat", context.options.mirostat, 0, 2));
  QUERN_CHECK(check_finite("mirostat_tau", context.options.mirostat_tau, 0));
  return check_finite("mirostat_eta", context.options.mirostat_eta, 0);
}

template <class Version>
std::unique_ptr<Step> create(const StepContext& context) {
  return std::make_unique<Version>(context);
}

}  // namespace

const StepInfo kMirostatStep = {0, "mirostat", check, create<Mirostat1>};
const StepInfo kMirostat2Step = {0, "mirostat_v2", nullptr, create<Mirostat2>};

}  // namespace quern::sample
