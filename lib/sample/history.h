// History: the last tokens of a sequence, up to a window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace quern::sample {

class History {
 public:
  /// window < 0: keeps all.
  explicit History(int32_t window) : window_(window) {}

  /// Adds a token, and returns the one that leaves the window for it, if any.
  std::optional<int32_t> push(int32_t token) {
    if (window_ == 0) return token;
    tokens_.push_back(token);
    if (window_ < 0 || size() <= static_cast<size_t>(window_)) return std::nullopt;
    const int32_t oldest = tokens_[begin_++];
    if (begin_ >= static_cast<size_t>(window_)) {  // half of the storage is behind the window: constant cost on average
      tokens_.erase(tokens_.begin(), tokens_.begin() + static_cast<ptrdiff_t>(begin_));
      begin_ = 0;
    }
    return oldest;
  }
  void clear() { tokens_.clear(), begin_ = 0; }
  size_t size() const { return tokens_.size() - begin_; }
  /// Oldest first. Valid until the next push().
  std::span<const int32_t> tokens() const { return std::span(tokens_).subspan(begin_); }

 private:
  int32_t window_;
  std::vector<int32_t> tokens_;
  size_t begin_ = 0;
};

}  // namespace quern::sample
