// What the tests of this room share: a small vocabulary, one step on its own, and float64 oracles.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "lib/base/rng.h"
#include "lib/sample/chain.h"

namespace quern::sample::testing {

/// Tokens are the given texts; encode() takes the longest that fits, as long as there is one.
class FakeVocab final : public SamplerVocab {
 public:
  explicit FakeVocab(std::vector<std::string> pieces, std::vector<int32_t> ends = {})
      : pieces_(std::move(pieces)), ends_(std::move(ends)) {}
  /// n tokens "<0>", "<1>", ... of no interest.
  static FakeVocab of_size(int32_t n, std::vector<int32_t> ends = {}) {
    std::vector<std::string> pieces;
    for (int32_t i = 0; i < n; ++i) pieces.push_back(cat("<", i, ">"));
    return FakeVocab(std::move(pieces), std::move(ends));
  }
  int32_t n_tokens() const override { return static_cast<int32_t>(pieces_.size()); }
  std::string piece(int32_t token) const override { return pieces_[static_cast<size_t>(token)]; }
  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> out;
    while (!text.empty()) {
      int32_t best = -1;
      for (int32_t t = 0; t < n_tokens(); ++t)
        if (text.substr(0, piece(t).size()) == piece(t) && (best < 0 || piece(t).size() > piece(best).size())) best = t;
      if (best < 0) break;
      out.push_back(best);
      text.remove_prefix(piece(best).size());
    }
    return out;
  }
  bool is_end_of_generation(int32_t token) const override {
    return std::find(ends_.begin(), ends_.end(), token) != ends_.end();
  }

 private:
  std::vector<std::string> pieces_;
  std::vector<int32_t> ends_;
};

inline std::unique_ptr<Step> make_step(char letter, const SamplerOptions& options, const SamplerVocab& vocab) {
  return find_step(letter)->create({options, vocab, options.seed});
}

inline std::vector<float> logits_of(const std::vector<double>& probabilities) {
  std::vector<float> out;
  for (const double p : probabilities) out.push_back(static_cast<float>(std::log(p)));
  return out;
}

/// Token to probability after one step (nothing happens where the options turn it off).
inline std::map<int32_t, double> after(char letter, const SamplerOptions& options, const std::vector<float>& logits,
                                       const std::vector<int32_t>& history = {}) {
  const auto vocab = FakeVocab::of_size(static_cast<int32_t>(logits.size()));
  Candidates candidates;
  candidates.load(logits);
  if (const auto step = make_step(letter, options, vocab)) {
    for (const int32_t token : history) step->accept(token);
    step->apply(candidates);
  }
  candidates.softmax();
  std::map<int32_t, double> out;
  for (const auto& c : candidates.items()) out[c.token] = c.probability;
  return out;
}

/// Gaussian-looking logits with a few ties.
inline std::vector<float> random_logits(size_t n, uint64_t seed, double spread = 6) {
  base::Rng rng(seed);
  std::vector<float> out(n);
  for (auto& logit : out) {
    double sum = -2;
    for (int i = 0; i < 4; ++i) sum += rng.uniform();
    logit = static_cast<float>(std::round(sum * spread * 4096) / 4096);
  }
  return out;
}

inline std::vector<double> oracle_softmax(const std::vector<float>& logits) {
  const double max = *std::max_element(logits.begin(), logits.end());
  std::vector<double> p;
  for (const float logit : logits) p.push_back(std::exp(logit - max));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (auto& x : p) x /= sum;
  return p;
}

/// Tokens by probability, of equal ones the smaller first.
inline std::vector<int32_t> oracle_ranking(const std::vector<float>& logits) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)];
  });
  return order;
}

/// The logits' distribution over some tokens only.
inline std::map<int32_t, double> oracle_over(const std::vector<float>& logits, const std::vector<int32_t>& tokens) {
  const auto p = oracle_softmax(logits);
  double sum = 0;
  for (const int32_t t : tokens) sum += p[static_cast<size_t>(t)];
  std::map<int32_t, double> out;
  for (const int32_t t : tokens) out[t] = p[static_cast<size_t>(t)] / sum;
  return out;
}

/// The largest difference between two distributions; 2 where they are over different tokens.
inline double difference(const std::map<int32_t, double>& a, const std::map<int32_t, double>& b) {
  if (a.size() != b.size()) return 2;
  double worst = 0;
  for (const auto& [token, p] : a) {
    const auto it = b.find(token);
    if (it == b.end()) return 2;
    worst = std::max(worst, std::abs(p - it->second));
  }
  return worst;
}

using Expected = std::map<int32_t, double>;

}  // namespace quern::sample::testing
