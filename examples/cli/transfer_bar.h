// How far a download is, on stderr: a bar with bytes, speed and time left on a terminal, a line per step elsewhere.
#pragma once

#include <chrono>
#include <string>

#include "examples/store/store.h"

namespace quern::cli {

class TransferBar {
 public:
  ~TransferBar() { clear(); }
  void update(const store::TransferProgress& progress);
  /// Takes away what is drawn.
  void clear();

 private:
  void finish_line();
  std::string line_of(const store::TransferProgress& progress);

  store::TransferProgress last_;
  std::chrono::steady_clock::time_point began_{}, drawn_at_{};
  uint64_t began_with_ = 0;  ///< bytes that were there before: they do not count for the speed
  bool drawn_ = false;
};

}  // namespace quern::cli
