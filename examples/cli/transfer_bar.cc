#include "examples/cli/transfer_bar.h"

#include <algorithm>
#include <cstdio>

#include "examples/cli/console.h"

namespace quern::cli {

std::string TransferBar::line_of(const store::TransferProgress& progress) {
  if (progress.total == 0 && progress.completed == 0) return progress.status;
  std::string out = progress.status + " ";
  const auto done = static_cast<double>(progress.completed), total = static_cast<double>(progress.total);
  if (progress.total > 0) {
    constexpr uint64_t kWidth = 24;
    const double share = std::min(1.0, done / total);
    const auto filled = static_cast<size_t>(share * kWidth);
    out += "[" + std::string(filled, '#') + std::string(kWidth - filled, '.') + "] " + fixed(100 * share, 0) + "% ";
  }
  out += bytes_text(progress.completed);
  if (progress.total > 0) out += "/" + bytes_text(progress.total);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  const double came = done - static_cast<double>(began_with_);
  if (seconds > 0.5 && came > 0) {
    const double speed = came / seconds;
    out += ", " + bytes_text(static_cast<uint64_t>(speed)) + "/s";
    if (total > done) out += ", " + duration_text((total - done) / speed) + " left";
  }
  return out;
}

void TransferBar::update(const store::TransferProgress& progress) {
  using namespace std::chrono_literals;
  const auto now = std::chrono::steady_clock::now();
  const bool is_new = progress.status != last_.status || progress.digest != last_.digest;
  if (is_new) {
    finish_line();
    began_ = now;
    began_with_ = progress.completed;
  }
  last_ = progress;
  if (!stderr_is_terminal()) {
    if (is_new) note(progress.status + (progress.total > 0 ? " (" + bytes_text(progress.total) + ")" : ""));
    return;
  }
  const bool ended = progress.total > 0 && progress.completed == progress.total;
  if (!is_new && !ended && now - drawn_at_ < 100ms) return;
  drawn_at_ = now;
  drawn_ = true;
  const std::string line = "\r\033[K" + line_of(progress);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

void TransferBar::finish_line() {
  if (drawn_) std::fputc('\n', stderr);
  drawn_ = false;
}

void TransferBar::clear() { finish_line(); }

}  // namespace quern::cli
