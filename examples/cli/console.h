// The terminal: what goes to stdout (data) and to stderr (everything else), colours, the progress bar.
#pragma once

#include <quern/callbacks.h>

#include <chrono>
#include <string>
#include <string_view>

namespace quern::cli {

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();

/// To stdout, at once. False once it cannot be written.
bool print(std::string_view text);
/// Flushes stdout; the exit code, which is not 0 if anything could not be written.
int finish_output(int code);
/// A line to stderr.
void note(std::string_view text);
/// The text in this colour, where stderr is a terminal and NO_COLOR is not set; for stderr.
std::string dim(std::string_view text);
std::string bold(std::string_view text);

/// Numbers for people: "7.0 MiB", "6.82 M", "12.3".
std::string bytes_text(uint64_t bytes);
std::string count_text(uint64_t count);
std::string fixed(double value, int decimals);
/// "4:05", "1:02:33".
std::string duration_text(double seconds);

/// A bar on stderr, drawn only on a terminal and only for what takes longer than a moment; gone when done.
class ProgressBar {
 public:
  ProgressBar() : start_(std::chrono::steady_clock::now()) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  void update(const Progress& progress);
  void clear();

 private:
  std::chrono::steady_clock::time_point start_, last_{};
  bool drawn_ = false;
};

}  // namespace quern::cli
