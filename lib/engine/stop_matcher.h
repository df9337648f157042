// StopMatcher: finds stop texts in a stream of text pieces, across their borders.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace quern::engine {

/// Feed pieces; text comes out as soon as no stop text can begin in it any more. Empty stop texts are ignored.
class StopMatcher {
 public:
  explicit StopMatcher(const std::vector<std::string>& stops);

  /// The text that is certain now. After a match: what preceded the stop text; nothing more comes out then.
  std::string push(std::string_view piece);
  /// What was held back, at the end of the stream.
  std::string finish();
  bool matched() const { return matched_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool matched_ = false;
};

}  // namespace quern::engine
