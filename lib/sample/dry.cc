// dry, "don't repeat yourself" (p-e-w, 2024): penalizes the tokens that would go on with a repetition. If the last n
// tokens have occurred before, followed by token t, and n (the largest such) is at least allowed_length, then
//   logit(t) -= multiplier * base^(n - allowed_length).
//
// A repetition does not reach over a sequence breaker, a text such as "\n". Texts do not keep to tokens: a breaker may
// begin inside one and go on in the next. So each becomes a set of token sequences: a head whose bytes contain it,
// alone; or a head that ends with its first bytes, followed by the tokens of the rest. A token that is a breaker alone
// is not penalized.
#include <algorithm>
#include <unordered_map>

#include "lib/sample/history.h"
#include "lib/sample/portable_math.h"
#include "lib/sample/step.h"

namespace quern::sample {
namespace {

constexpr size_t kMaxBreakerBytes = 256, kMaxTailTokens = 20;

/// Head token to what must follow it.
using Breakers = std::unordered_multimap<int32_t, std::vector<int32_t>>;

void add_breaker(Breakers& breakers, int32_t head, std::vector<int32_t> tail) {
  const auto [first, last] = breakers.equal_range(head);
  for (auto it = first; it != last; ++it)
    if (it->second == tail) return;
  breakers.emplace(head, std::move(tail));
}

Breakers find_breakers(const std::vector<std::string>& texts, const SamplerVocab& vocab) {
  Breakers breakers;
  // The rest of text i after its first j bytes, as tokens: the same for every head, so encoded once.
  std::vector<std::unordered_map<size_t, std::vector<int32_t>>> rests(texts.size());
  for (int32_t token = 0; token < vocab.n_tokens(); ++token) {
    const std::string piece = vocab.piece(token);
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::string& text = texts[i];
      if (piece.find(text) != std::string::npos) {
        add_breaker(breakers, token, {});
        continue;
      }
      for (size_t n = 1; n < text.size() && n <= piece.size(); ++n) {
        if (piece.compare(piece.size() - n, n, text, 0, n) != 0) continue;
        auto [rest, is_new] = rests[i].try_emplace(n);
        if (is_new) {
          rest->second = vocab.encode(std::string_view(text).substr(n));
          if (rest->second.size() > kMaxTailTokens) rest->second.resize(kMaxTailTokens);
        }
        if (!rest->second.empty()) add_breaker(breakers, token, rest->second);
      }
    }
  }
  return breakers;
}

class DryStep final : public Step {
 public:
  DryStep(const SamplerOptions& options, Breakers breakers)
      : multiplier_(options.dry_multiplier),
        base_(options.dry_base),
        allowed_length_(static_cast<size_t>(options.dry_allowed_length)),
        breakers_(std::move(breakers)),
        history_(options.dry_penalty_last_n) {}

  void apply(Candidates& candidates) override {
    if (history_.size() <= allowed_length_) return;
    recent_.assign(history_.tokens().rbegin(), history_.tokens().rend());
    const size_t limit = unbroken_length();
    if (limit < allowed_length_) return;
    find_repetitions(limit);
    candidates.edit_tokens(longest_, [this](const Candidate& c, size_t length) {
      const double penalty = multiplier_ * portable_pow(base_, static_cast<uint64_t>(length - allowed_length_));
      return c.logit - static_cast<float>(std::min<double>(penalty, std::numeric_limits<float>::max()));
    });
  }
  void accept(int32_t token) override { history_.push(token); }
  void reset() override { history_.clear(); }

 private:
  // How many of the latest tokens follow the last breaker; all of them where there is none.
  size_t unbroken_length() const {
    for (size_t i = 0; i < recent_.size(); ++i) {
      const auto [first, last] = breakers_.equal_range(recent_[i]);
      std::optional<size_t> longest;
      for (auto it = first; it != last; ++it) {
        const auto& tail = it->second;  // lies at recent_[i - 1], recent_[i - 2], ...
        if (tail.size() > i || (longest && tail.size() <= *longest)) continue;
        if (std::equal(tail.rbegin(), tail.rend(), recent_.begin() + static_cast<ptrdiff_t>(i - tail.size())))
          longest = tail.size();
      }
      if (longest) return i - *longest;
    }
    return recent_.size();
  }

  // Fills longest_: by token, the length of the longest repetition that it would go on with. In the reversed history
  // the latest tokens are a prefix, and the Z-function z[i], the length of the longest common prefix of the whole and
  // its suffix from i, says how many of them occur before recent_[i - 1]. Linear in the history.
  void find_repetitions(size_t limit) {
    longest_.clear();
    const size_t n = recent_.size();
    z_.assign(n, 0);
    for (size_t i = 1, left = 0, right = 0; i < n; ++i) {  // [left, right): the rightmost stretch known to be a prefix
      size_t z = i < right ? std::min(right - i, z_[i - left]) : 0;
      while (i + z < n && recent_[z] == recent_[i + z]) ++z;
      z_[i] = z;
      if (i + z > right) left = i, right = i + z;
      const size_t length = std::min(z, limit);
      if (length < allowed_length_ || breaks_alone(recent_[i - 1])) continue;
      size_t& longest = longest_.try_emplace(recent_[i - 1], length).first->second;
      longest = std::max(longest, length);
    }
  }

  bool breaks_alone(int32_t token) const {
    const auto [first, last] = breakers_.equal_range(token);
    return std::any_of(first, last, [](const auto& breaker) { return breaker.second.empty(); });
  }

  double multiplier_, base_;
  size_t allowed_length_;
  Breakers breakers_;
  History history_;
  std::vector<int32_t> recent_;  ///< Scratch: the history, latest first.
  std::vector<size_t> z_;        ///< Scratch.
  std::unordered_map<int32_t, size_t> longest_;
};

Status check(const StepContext& context) {
  const auto& options = context.options;
  QUERN_CHECK(check_finite("dry_multiplier", options.dry_multiplier, 0));
  QUERN_CHECK(check_finite("dry_base", options.dry_base, 1));
  QUERN_CHECK(check_at_least("dry_allowed_length", options.dry_allowed_length, 0));
  QUERN_CHECK(check_at_least("dry_penalty_last_n", options.dry_penalty_last_n, -1));
  for (size_t i = 0; i < options.dry_sequence_breakers.size(); ++i) {
    const size_t length = options.dry_sequence_breakers[i].size();
    QUERN_ENSURE(length > 0 && length <= kMaxBreakerBytes, Errc::argument, "sampler option dry_sequence_breakers[", i,
                 "]: expected 1 to ", kMaxBreakerBytes, " bytes, found ", length);
  }
  return {};
}

std::unique_ptr<Step> create(const StepContext& context) {
  const auto& options = context.options;
  if (options.dry_multiplier == 0 || options.dry_penalty_last_n == 0) return nullptr;
  return std::make_unique<DryStep>(options, find_breakers(options.dry_sequence_breakers, context.vocab));
}

}  // namespace

extern const StepInfo kDryStep = {'d', "dry", check, create};

}  // namespace quern::sample
