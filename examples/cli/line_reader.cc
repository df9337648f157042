#include "examples/cli/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "examples/cli/interrupt.h"

namespace quern::cli {

LineReader::Event LineReader::read(std::string& line) {
  while (true) {
    const size_t newline = pending_.find('\n');
    if (newline != std::string::npos) {
      line = pending_.substr(0, newline);
      pending_.erase(0, newline + 1);
      return Event::line;
    }
    if (ended_) {
      line = std::move(pending_);
      pending_.clear();
      return line.empty() ? Event::end : Event::line;
    }
    pollfd waiting[] = {{STDIN_FILENO, POLLIN, 0}, {interrupt_fd(), POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0 && errno == EINTR) continue;  // the next look finds the press
    if (waiting[1].revents != 0) {
      drain_interrupt_fd();
      pending_.clear();
      return Event::interrupted;
    }
    char chunk[4096];
    const ssize_t n = ::read(STDIN_FILENO, chunk, sizeof chunk);
    if (n > 0) {
      pending_.append(chunk, static_cast<size_t>(n));
    } else if (n == 0 || errno != EINTR) {
      ended_ = true;
    }
  }
}

}  // namespace quern::cli
