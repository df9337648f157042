#include "examples/cli/console.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace quern::cli {
namespace {

bool write_failed = false;

bool coloured() {
  const char* no_color = std::getenv("NO_COLOR");
  return stderr_is_terminal() && (no_color == nullptr || *no_color == '\0');
}

}  // namespace

bool stdin_is_terminal() { return isatty(STDIN_FILENO) == 1; }
bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

bool print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) write_failed = true;
  return !write_failed;
}

int finish_output(int code) {
  if (std::fflush(stdout) != 0) write_failed = true;
  if (!write_failed) return code;
  note("quern: cannot write to the standard output");
  return code == 0 ? 1 : code;
}

void note(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fputc('\n', stderr);
}

std::string dim(std::string_view text) {
  return coloured() ? "\033[2m" + std::string(text) + "\033[0m" : std::string(text);
}

std::string bold(std::string_view text) {
  return coloured() ? "\033[1m" + std::string(text) + "\033[0m" : std::string(text);
}

std::string fixed(double value, int decimals) {
  char digits[400];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, decimals).ptr;
  return std::string(digits, end);
}

std::string bytes_text(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fixed(value, unit == 0 ? 0 : 1) + " " + kUnits[unit];
}

std::string count_text(uint64_t count) {
  if (count >= 1'000'000'000) return fixed(static_cast<double>(count) / 1e9, 2) + " B";
  if (count >= 1'000'000) return fixed(static_cast<double>(count) / 1e6, 2) + " M";
  if (count >= 1'000) return fixed(static_cast<double>(count) / 1e3, 2) + " K";
  return std::to_string(count);
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<uint64_t>(std::max(seconds, 0.0) + 0.5);
  const auto two = [](uint64_t n) {
    return std::string{static_cast<char>('0' + n / 10), static_cast<char>('0' + n % 10)};
  };
  if (whole < 3600) return std::to_string(whole / 60) + ":" + two(whole % 60);
  return std::to_string(whole / 3600) + ":" + two(whole / 60 % 60) + ":" + two(whole % 60);
}

void ProgressBar::update(const Progress& progress) {
  using namespace std::chrono_literals;
  if (!stderr_is_terminal()) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - start_ < 300ms || (drawn_ && now - last_ < 50ms)) return;
  last_ = now;
  drawn_ = true;
  std::string line = "\r\033[K" + std::string(progress.stage) + " ";
  if (progress.total > 0) {
    constexpr uint64_t kWidth = 30;
    const double share = std::min(1.0, static_cast<double>(progress.done) / static_cast<double>(progress.total));
    const auto filled = static_cast<size_t>(share * kWidth);
    line += "[" + std::string(filled, '#') + std::string(kWidth - filled, '.') + "] " + fixed(100 * share, 0) + "% ";
  }
  const bool is_bytes = progress.stage == "load";
  line += is_bytes ? bytes_text(progress.done) : std::to_string(progress.done) + " tokens";
  const double seconds = std::chrono::duration<double>(now - start_).count();
  if (!is_bytes && seconds > 0) line += ", " + fixed(static_cast<double>(progress.done) / seconds, 0) + "/s";
  if (progress.done > 0 && progress.total > progress.done) {
    line += ", " +
            duration_text(seconds * static_cast<double>(progress.total - progress.done) /
                          static_cast<double>(progress.done)) +
            " left";
  }
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

void ProgressBar::clear() {
  if (!drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace quern::cli
