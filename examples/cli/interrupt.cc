#include "examples/cli/interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace quern::cli {
namespace {

std::atomic<int> count{0};
std::atomic<int> fatal_count{2};
std::atomic<bool>* flag = nullptr;
int wake_pipe[2] = {-1, -1};  // a signal that comes just before a wait would be missed without it
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "used in a signal handler");

const CancelToken& token() {
  static const CancelToken instance;
  return instance;
}

void on_interrupt(int) {
  const int saved = errno;
  flag->store(true, std::memory_order_relaxed);
  if (++count >= fatal_count) _exit(130);
  if (::write(wake_pipe[1], "", 1) < 0) {
  }  // full: whoever waits is woken all the same
  errno = saved;
}

}  // namespace

const CancelToken& catch_interrupts(int fatal) {
  flag = token().flag();
  fatal_count = fatal;
  if (wake_pipe[0] < 0 && ::pipe2(wake_pipe, O_NONBLOCK | O_CLOEXEC) != 0) wake_pipe[0] = wake_pipe[1] = -1;
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  return token();
}

int interrupts() { return count; }

int interrupt_fd() { return wake_pipe[0]; }

void drain_interrupt_fd() {
  char byte;
  while (wake_pipe[0] >= 0 && ::read(wake_pipe[0], &byte, 1) == 1) {
  }
}

void forget_interrupts() {
  drain_interrupt_fd();
  count = 0;
  token().reset();
}

}  // namespace quern::cli
