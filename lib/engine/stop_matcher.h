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
  bool matched() const { return !match_.empty(); }
  const std::string& match() const { return match_; }  ///< The stop text that was found; empty if none was.

 private:
  std::vector<std::string> stops_;
  std::string held_;
  std::string match_;
};

}  // namespace quern::engine
