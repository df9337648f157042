// Lines from the standard input, one at a time, that a signal can interrupt.
#pragma once

#include <string>

namespace quern::cli {

class LineReader {
 public:
  enum class Event { line, end, interrupted };
  /// The next line without its newline. After `interrupted` what was typed so far is gone.
  Event read(std::string& line);

 private:
  std::string pending_;
  bool ended_ = false;
};

}  // namespace quern::cli
