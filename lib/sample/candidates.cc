// Selection, sorting and softmax over the candidates.
#include "lib/sample/candidates.h"

#include <algorithm>

#include "lib/sample/portable_math.h"

namespace quern::sample {

// e^x of each x <= 0; 0 for what is below any probability that a float can hold.
static void exp_block(std::span<double> xs) {
  for (double& x : xs) {
    const double in_range = x > -700 ? x : -700;
    x = x > -700 ? portable_exp_in_range(in_range) : 0;
  }
}

void Candidates::load(std::span<const float> logits) {
  items_.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) items_[i] = {static_cast<int32_t>(i), valid_logit(logits[i]), 0};
  n_sorted_ = 0;
  by_token_ = true;
  chosen_ = 0;
}

size_t Candidates::argmax() const {
  if (n_sorted_ > 0) return 0;
  size_t best = 0;
  for (size_t i = 1; i < items_.size(); ++i)
    if (before(items_[i], items_[best])) best = i;
  return best;
}

float Candidates::max_logit() const {
  if (n_sorted_ > 0) return items_[0].logit;
  float max = -std::numeric_limits<float>::infinity();
  for (const auto& c : items_) max = std::max(max, c.logit);
  return max;
}

// The n best of what is not yet sorted, 0 < n < its count, in order, into best_. One pass: what beats the n-th best so
// far joins a buffer, which is cut back to n when full. That is linear whatever the order of the logits, and for a
// large vocabulary and a small n hardly more than reading it.
void Candidates::select_best(size_t n) {
  const size_t capacity = n + std::max<size_t>(n, 256);
  best_.clear();
  best_.reserve(capacity);
  Candidate worst{};
  bool full = false;
  for (size_t i = n_sorted_; i < items_.size(); ++i) {
    if (full && !before(items_[i], worst)) continue;
    best_.push_back(items_[i]);
    if (best_.size() < capacity) continue;
    const auto nth = best_.begin() + static_cast<ptrdiff_t>(n - 1);
    std::nth_element(best_.begin(), nth, best_.end(), before);
    worst = *nth;
    full = true;
    best_.resize(n);
  }
  const auto end = best_.begin() + static_cast<ptrdiff_t>(n);
  if (best_.size() > n) std::nth_element(best_.begin(), end, best_.end(), before);
  std::sort(best_.begin(), end, before);
  best_.resize(n);
}

void Candidates::sort_to(size_t n) {
  n = std::min(n, items_.size());
  if (n <= n_sorted_) return;
  by_token_ = false;
  const auto tail = items_.begin() + static_cast<ptrdiff_t>(n_sorted_);
  if (n == items_.size()) {
    std::sort(tail, items_.end(), before);
  } else {
    select_best(n - n_sorted_);
    const Candidate worst = best_.back();
    size_t to = items_.size();  // the others move back to make room, and keep their order
    for (size_t i = items_.size(); i-- > n_sorted_;)
      if (before(worst, items_[i])) items_[--to] = items_[i];
    std::copy(best_.begin(), best_.end(), tail);
  }
  n_sorted_ = n;
}

void Candidates::keep_top(size_t n) {
  if (n < items_.size() && n > n_sorted_) {
    select_best(n - n_sorted_);
    std::copy(best_.begin(), best_.end(), items_.begin() + static_cast<ptrdiff_t>(n_sorted_));
    n_sorted_ = n;
  } else {
    sort_to(n);
  }
  truncate(n);
}

void Candidates::truncate(size_t n) {
  if (n >= items_.size()) return;
  items_.resize(n);
  n_sorted_ = std::min(n_sorted_, n);
  by_token_ = false;
}

void Candidates::drop_front(size_t n) {
  n = std::min(n, items_.size());
  if (n == 0) return;
  items_.erase(items_.begin(), items_.begin() + static_cast<ptrdiff_t>(n));
  n_sorted_ -= std::min(n_sorted_, n);
  by_token_ = false;
}

void Candidates::softmax() {
  const float max = max_logit();
  double sum = 0;
  if (std::isinf(max)) {
    for (auto& c : items_) {
      c.probability = c.logit == max ? 1.f : 0.f;
      sum += c.probability;
    }
  } else {
    constexpr size_t kBlock = 64;  // exp by blocks, which the compiler vectorizes; the sum one by one, in order
    double weights[kBlock];
    for (size_t begin = 0; begin < items_.size(); begin += kBlock) {
      const size_t n = std::min(kBlock, items_.size() - begin);
      Candidate* const block = items_.data() + begin;
      for (size_t i = 0; i < n; ++i) weights[i] = static_cast<double>(block[i].logit) - max;
      exp_block(std::span(weights, n));
      for (size_t i = 0; i < n; ++i) {
        block[i].probability = static_cast<float>(weights[i]);
        sum += weights[i];
      }
    }
  }
  const double scale = 1 / sum;
  for (auto& c : items_) c.probability = static_cast<float>(c.probability * scale);
}

double Candidates::entropy() const {
  double sum = 0;
  for (const auto& c : items_)
    if (c.probability > 0) sum -= c.probability * portable_log(c.probability);
  return sum;
}

}  // namespace quern::sample
