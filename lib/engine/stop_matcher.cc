#include "lib/engine/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace quern::engine {

StopMatcher::StopMatcher(const std::vector<std::string>& stops) {
  for (const auto& stop : stops) {
    if (!stop.empty()) stops_.push_back(stop);
  }
}

std::string StopMatcher::push(std::string_view piece) {
  if (matched()) return {};
  held_ += piece;
  // Of several the one that is complete first, so that the result does not depend on how the text is cut into pieces.
  size_t first = std::string::npos, first_end = std::string::npos;
  for (const auto& stop : stops_) {
    const size_t begin = held_.find(stop);
    if (begin == std::string::npos || begin + stop.size() > first_end) continue;
    if (begin + stop.size() == first_end && begin >= first) continue;
    first = begin;
    first_end = begin + stop.size();
  }
  if (first != std::string::npos) {
    match_ = held_.substr(first, first_end - first);
    std::string out = held_.substr(0, first);
    held_.clear();
    return out;
  }
  // The longest end of the text that begins a stop text.
  size_t keep = 0;
  for (const auto& stop : stops_) {
    for (size_t n = std::min(stop.size() - 1, held_.size()); n > keep; --n) {
      if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) keep = n;
    }
  }
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return out;
}

std::string StopMatcher::finish() { return std::exchange(held_, {}); }

}  // namespace quern::engine
