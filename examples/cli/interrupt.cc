#include "examples/cli/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace quern::cli {
namespace {

std::atomic<int> count{0};
std::atomic<int> fatal_count{2};
std::atomic<bool>* flag = nullptr;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "used in a signal handler");

const CancelToken& token() {
  static const CancelToken instance;
  return instance;
}

void on_interrupt(int) {
  flag->store(true, std::memory_order_relaxed);
  if (++count >= fatal_count) _exit(130);
}

}  // namespace

const CancelToken& catch_interrupts(int fatal) {
  flag = token().flag();
  fatal_count = fatal;
  struct sigaction action = {};
  action.sa_handler = on_interrupt;  // without SA_RESTART: reading a line ends with EINTR
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  return token();
}

int interrupts() { return count; }

void forget_interrupts() {
  count = 0;
  token().reset();
}

}  // namespace quern::cli
