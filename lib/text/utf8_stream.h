// Joins token pieces into text that never ends inside a UTF-8 character.
#pragma once

#include <string>
#include <string_view>

namespace quern::text {

/// Feed pieces, receive the bytes that are complete characters so far. Bytes that can never become valid UTF-8 are
/// replaced by U+FFFD, so that the output is always valid.
class Utf8Stream {
 public:
  std::string push(std::string_view piece);
  /// What is left at the end of the generation: an unfinished character becomes U+FFFD.
  std::string finish();

 private:
  std::string pending_;
};

}  // namespace quern::text
