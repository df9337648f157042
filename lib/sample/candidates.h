// Candidates: the tokens that may come next, which the steps of a chain bias, reorder and cut down.
//
// One total order is used throughout: the larger logit first, of equal ones the smaller token. Whatever the standard
// library's selection and sorting leave unspecified therefore never reaches the result, and sums over the candidates
// run in an order that is the same everywhere.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace quern::sample {

struct Candidate {
  int32_t token = 0;
  float logit = 0;
  float probability = 0;  ///< Of the last softmax(); stale after any change.
};

/// Whether `a` is more probable than `b`. No logit is NaN, so this is a strict total order.
inline bool before(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

/// A logit fit to be stored: NaN (infinity minus infinity) stands for impossible.
inline float valid_logit(float logit) { return std::isnan(logit) ? -std::numeric_limits<float>::infinity() : logit; }

class Candidates {
 public:
  /// All tokens, in their order. A NaN becomes -infinity.
  void load(std::span<const float> logits);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const Candidate& operator[](size_t i) const { return storage_[i]; }
  std::span<const Candidate> items() const { return {storage_.data(), size_}; }

  /// The most probable candidate's index; there must be one.
  size_t argmax() const;
  /// Puts the n most probable first, in order; the others keep theirs.
  void sort_to(size_t n);
  /// Keeps the n most probable, in order.
  void keep_top(size_t n);
  /// Keeps those first n, as they lie.
  void truncate(size_t n);
  /// Removes the first n.
  void drop_front(size_t n);
  /// Keeps those that pred(index, candidate) holds for, in their order.
  template <class Predicate>
  void keep_if(Predicate pred);

  /// Sets every logit to edit(candidate).
  template <class Edit>
  void edit_all(Edit edit);
  /// Sets the logits of the tokens in a map (token to value) to edit(candidate, value).
  template <class Map, class Edit>
  void edit_tokens(const Map& map, Edit edit);

  /// Sets every probability to exp(logit) / sum. Candidates at an infinite maximum share equally and leave nothing to
  /// the others: so +infinity means certain, and where all are impossible all are alike.
  void softmax();
  /// ln of a probability, without its rounding; as stale as that.
  double log_probability(const Candidate& c) const {
    return std::isinf(max_) && c.logit != max_ ? -std::numeric_limits<double>::infinity()
                                               : log_shifted(c.logit) - log_sum_;
  }
  /// -sum p ln p of the probabilities, in nats.
  double entropy() const;

  /// The step that ends a chain says what it chose.
  void choose(size_t index) { chosen_ = index; }
  size_t chosen() const { return chosen_; }

 private:
  std::span<Candidate> all() { return {storage_.data(), size_}; }
  float max_logit() const;
  void select_best(size_t n);
  double log_shifted(float logit) const { return logit == max_ ? 0 : static_cast<double>(logit) - max_; }

  std::vector<Candidate> storage_;  ///< Never shrinks: growing it again would fill it twice.
  size_t size_ = 0;
  std::vector<Candidate> best_;  ///< Scratch of select_best().
  size_t n_sorted_ = 0;          ///< The first so many are the most probable ones, in order.
  bool by_token_ = false;        ///< Candidate i is token i, throughout.
  float max_ = 0;                ///< Of the last softmax(), as the next.
  double log_sum_ = 0;           ///< ln of the sum of exp(logit - max_).
  size_t chosen_ = 0;
};

template <class Predicate>
void Candidates::keep_if(Predicate pred) {
  size_t kept = 0, kept_sorted = 0;
  for (size_t i = 0; i < size_; ++i) {
    if (!pred(i, std::as_const(storage_[i]))) continue;
    storage_[kept++] = storage_[i];
    if (i < n_sorted_) kept_sorted = kept;
  }
  if (kept != size_) by_token_ = false;
  size_ = kept;
  n_sorted_ = kept_sorted;
}

template <class Edit>
void Candidates::edit_all(Edit edit) {
  for (auto& c : all()) c.logit = valid_logit(edit(std::as_const(c)));
  n_sorted_ = 0;
}

template <class Map, class Edit>
void Candidates::edit_tokens(const Map& map, Edit edit) {
  if (map.empty()) return;
  n_sorted_ = 0;
  if (by_token_) {
    for (const auto& [token, value] : map) {
      if (token < 0 || static_cast<size_t>(token) >= size_) continue;
      Candidate& c = storage_[static_cast<size_t>(token)];
      c.logit = valid_logit(edit(std::as_const(c), value));
    }
    return;
  }
  for (auto& c : all())
    if (const auto it = map.find(c.token); it != map.end()) c.logit = valid_logit(edit(std::as_const(c), it->second));
}

}  // namespace quern::sample
