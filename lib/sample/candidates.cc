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
  size_ = logits.size();
  if (storage_.size() < size_) storage_.resize(size_);
  for (size_t i = 0; i < size_; ++i) storage_[i] = {static_cast<int32_t>(i), valid_logit(logits[i]), 0};
  n_sorted_ = 0;
  by_token_ = true;
  chosen_ = 0;
}

size_t Candidates::argmax() const {
  if (n_sorted_ > 0) return 0;
  size_t best = 0;
  for (size_t i = 1; i < size_; ++i)
    if (before(storage_[i], storage_[best])) best = i;
  return best;
}

float Candidates::max_logit() const {
  if (n_sorted_ > 0) return storage_[0].logit;
  float max = -std::numeric_limits<float>::infinity();
  for (const auto& c : items()) max = std::max(max, c.logit);
  return max;
}

// The n best of what is not yet sorted, 0 < n < its count, in order, into best_. One pass: what beats the n-th best so
// far joins a buffer, which is cut back to n when full. That is linear whatever the order of the logits, and for a
// large vocabulary and a small n hardly more than reading it.
void Candidates::select_best(size_t n) {
  const size_t capacity = n + std::max<size_t>(n, 256);
  best_.clear();
  best_.reserve(std::min(capacity, size_ - n_sorted_));
  Candidate worst{};
  bool full = false;
  for (const auto& c : items().subspan(n_sorted_)) {
    if (full && !before(c, worst)) continue;
    best_.push_back(c);
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
  n = std::min(n, size_);
  if (n <= n_sorted_) return;
  by_token_ = false;
  const auto unsorted = all().subspan(n_sorted_);
  if (n == size_) {
    std::sort(unsorted.begin(), unsorted.end(), before);
  } else {
    select_best(n - n_sorted_);
    const Candidate worst = best_.back();
    size_t to = unsorted.size();  // the others move back to make room, and keep their order
    for (size_t i = unsorted.size(); i-- > 0;)
      if (before(worst, unsorted[i])) unsorted[--to] = unsorted[i];
    std::copy(best_.begin(), best_.end(), unsorted.begin());
  }
  n_sorted_ = n;
}

void Candidates::keep_top(size_t n) {
  if (n > n_sorted_ && n < size_) {
    select_best(n - n_sorted_);
    std::copy(best_.begin(), best_.end(), all().subspan(n_sorted_).begin());
    n_sorted_ = n;
  } else {
    sort_to(n);
  }
  truncate(n);
}

void Candidates::truncate(size_t n) {
  if (n >= size_) return;
  size_ = n;
  n_sorted_ = std::min(n_sorted_, n);
  by_token_ = false;
}

void Candidates::drop_front(size_t n) {
  n = std::min(n, size_);
  if (n == 0) return;
  std::copy(all().begin() + static_cast<ptrdiff_t>(n), all().end(), all().begin());
  size_ -= n;
  n_sorted_ -= std::min(n_sorted_, n);
  by_token_ = false;
}

void Candidates::softmax() {
  max_ = max_logit();
  double sum = 0;
  if (std::isinf(max_)) {
    for (auto& c : all()) {
      c.probability = c.logit == max_ ? 1.f : 0.f;
      sum += c.probability;
    }
  } else {
    constexpr size_t kBlock = 64;  // exp by blocks, which the compiler vectorizes; the sum one by one, in order
    double weights[kBlock];
    for (size_t begin = 0; begin < size_; begin += kBlock) {
      const auto block = all().subspan(begin, std::min(kBlock, size_ - begin));
      for (size_t i = 0; i < block.size(); ++i) weights[i] = static_cast<double>(block[i].logit) - max_;
      exp_block(std::span(weights, block.size()));
      for (size_t i = 0; i < block.size(); ++i) {
        block[i].probability = static_cast<float>(weights[i]);
        sum += weights[i];
      }
    }
  }
  log_sum_ = portable_log(sum);
  const double scale = 1 / sum;
  for (auto& c : all()) c.probability = static_cast<float>(c.probability * scale);
}

double Candidates::entropy() const {
  double sum = 0;
  for (const auto& c : items())
    if (c.probability > 0) sum -= c.probability * log_probability(c);
  return sum;
}

}  // namespace quern::sample
